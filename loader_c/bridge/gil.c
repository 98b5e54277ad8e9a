/* SPDX-License-Identifier: Apache-2.0 */
#include "gil.h"

#include <pthread.h>

static pthread_key_t kept_key;
static pthread_once_t kept_once = PTHREAD_ONCE_INIT;
static _Thread_local int known_thread;

static void forget_thread(void *kept) {
    /* The thread ends. Not PyGILState_Release(): it looks the state up by a thread-specific
     * key, and glibc has cleared that by now. */
    if (!Py_IsInitialized()) return;
    PyEval_RestoreThread(kept);
    PyThreadState_Clear(kept);
    PyThreadState_DeleteCurrent();
}

static void make_key(void) { (void)pthread_key_create(&kept_key, forget_thread); }

PyGILState_STATE gil_enter(void) {
    if (!known_thread) {
        known_thread = 1;
        /* A thread that Python made, or that started the interpreter, has a state already. */
        if (PyGILState_GetThisThreadState() == NULL) {
            (void)pthread_once(&kept_once, make_key);
            (void)PyGILState_Ensure();
            (void)pthread_setspecific(kept_key, PyEval_SaveThread());
        }
    }
    return PyGILState_Ensure();
}

void gil_leave(PyGILState_STATE gil) { PyGILState_Release(gil); }
