/* SPDX-License-Identifier: Apache-2.0 */
#include "emitter.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "state.h"

enum { ASYNC_NAME_MAX = 31 /* longer names are cut by the host (PPM_MAX_NAME_LEN) */ };

struct emitter {
    PyObject_HEAD
    ss_plugin_owner_t *owner;
    ss_plugin_async_event_handler_t handler;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned calls;
    bool closed;
};

PyObject *emitter_new(ss_plugin_owner_t *owner, ss_plugin_async_event_handler_t handler) {
    struct emitter *emitter = PyObject_New(struct emitter, &emitter_type);
    if (emitter == NULL) return NULL;
    emitter->owner = owner;
    emitter->handler = handler;
    emitter->calls = 0;
    emitter->closed = false;
    (void)pthread_mutex_init(&emitter->lock, NULL);
    pthread_condattr_t monotonic;
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&emitter->changed, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    return (PyObject *)emitter;
}

void emitter_close(PyObject *object) {
    struct emitter *emitter = (struct emitter *)object;
    Py_BEGIN_ALLOW_THREADS
    (void)pthread_mutex_lock(&emitter->lock);
    emitter->closed = true;
    (void)pthread_cond_broadcast(&emitter->changed);
    while (emitter->calls != 0) (void)pthread_cond_wait(&emitter->changed, &emitter->lock);
    (void)pthread_mutex_unlock(&emitter->lock);
    Py_END_ALLOW_THREADS
}

static void emitter_dealloc(PyObject *self) {
    struct emitter *emitter = (struct emitter *)self;
    (void)pthread_mutex_destroy(&emitter->lock);
    (void)pthread_cond_destroy(&emitter->changed);
    Py_TYPE(self)->tp_free(self);
}

/* No GIL. Whether the emitter was still open. */
static bool hand_over(struct emitter *emitter, const ss_plugin_event *event, ss_plugin_rc *rc,
                      char *error) {
    (void)pthread_mutex_lock(&emitter->lock);
    bool open = !emitter->closed;
    if (open) emitter->calls++;
    (void)pthread_mutex_unlock(&emitter->lock);
    if (!open) return false;
    *rc = emitter->handler(emitter->owner, event, error);
    (void)pthread_mutex_lock(&emitter->lock);
    if (--emitter->calls == 0) (void)pthread_cond_broadcast(&emitter->changed);
    (void)pthread_mutex_unlock(&emitter->lock);
    return true;
}

static PyObject *emitter_call(PyObject *self, PyObject *arguments, PyObject *keywords) {
    static char *names[] = {"name", "data", "ts", NULL};
    struct emitter *emitter = (struct emitter *)self;
    const char *name, *data;
    Py_ssize_t size;
    PyObject *when = Py_None;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "ss#|O", names, &name, &data, &size,
                                     &when)) {
        return NULL;
    }
    unsigned long long ts = UINT64_MAX; /* the host's clock */
    if (when != Py_None) ts = PyLong_AsUnsignedLongLong(when);
    if (PyErr_Occurred()) return NULL;
    if (*name == '\0' || strlen(name) > ASYNC_NAME_MAX) {
        return PyErr_Format(PyExc_ValueError, "an asynchronous event's name has 1 to %d bytes: %s",
                            ASYNC_NAME_MAX, name);
    }
    ss_plugin_event *event = event_new_async(ts, name, data, (size_t)size);
    if (event == NULL) return PyErr_NoMemory();
    char error[PLUGIN_MAX_ERRLEN] = "";
    ss_plugin_rc rc = SS_PLUGIN_FAILURE;
    bool open;
    Py_BEGIN_ALLOW_THREADS
    open = hand_over(emitter, event, &rc, error);
    free(event);
    Py_END_ALLOW_THREADS
    error[sizeof error - 1] = '\0';
    if (!open) {
        PyErr_SetString(PyExc_RuntimeError, "the host takes no more asynchronous events");
        return NULL;
    }
    if (rc != SS_PLUGIN_SUCCESS) {
        return PyErr_Format(PyExc_ValueError, "the host refused the asynchronous event %s: %s",
                            name, error);
    }
    Py_RETURN_NONE;
}

static PyObject *emitter_wait(PyObject *self, PyObject *argument) {
    double seconds = PyFloat_AsDouble(argument);
    if (seconds < 0 && PyErr_Occurred()) return NULL;
    if (seconds != seconds) {
        PyErr_SetString(PyExc_ValueError, "wait: seconds is not a number");
        return NULL;
    }
    struct emitter *emitter = (struct emitter *)self;
    struct timespec deadline;
    (void)clock_gettime(CLOCK_MONOTONIC, &deadline);
    if (seconds < 0) seconds = 0;
    if (seconds > 86400) seconds = 86400;
    long nanoseconds = deadline.tv_nsec + (long)((seconds - (double)(long)seconds) * 1e9);
    deadline.tv_sec += (long)seconds + nanoseconds / 1000000000;
    deadline.tv_nsec = nanoseconds % 1000000000;
    bool closed;
    Py_BEGIN_ALLOW_THREADS
    int rc = 0;
    (void)pthread_mutex_lock(&emitter->lock);
    while (rc == 0 && !emitter->closed) {
        rc = pthread_cond_timedwait(&emitter->changed, &emitter->lock, &deadline);
    }
    closed = emitter->closed;
    (void)pthread_mutex_unlock(&emitter->lock);
    Py_END_ALLOW_THREADS
    return PyBool_FromLong(closed);
}

static PyObject *emitter_closed(PyObject *self, void *closure) {
    (void)closure;
    return PyBool_FromLong(((struct emitter *)self)->closed);
}

static PyMethodDef methods[] = {
    {"wait", emitter_wait, METH_O,
     "wait(seconds) -> bool: sleeps, but not beyond the host's stop; whether it has come."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef getters[] = {
    {"closed", emitter_closed, NULL, "Whether the host takes no more events.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyTypeObject emitter_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "falcopy_sdk.runtime._bridge.Emitter",
    .tp_basicsize = sizeof(struct emitter),
    .tp_dealloc = emitter_dealloc,
    .tp_call = emitter_call,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_doc = "emit(name, data, ts=None): hands an asynchronous event to the host.",
    .tp_methods = methods,
    .tp_getset = getters,
};
