/* SPDX-License-Identifier: Apache-2.0
 *
 * The one way in and out of the interpreter.
 *
 * Lock order: a thread that holds the GIL takes no bridge mutex that another
 * thread may hold while it waits for the GIL. The mutexes a thread may hold when
 * it calls gil_enter() are plugin_state.compute and nothing else.
 */
#ifndef FALCOPY_GIL_H
#define FALCOPY_GIL_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* Waits for the GIL. The calling thread keeps its Python thread state between
 * calls, so that entering again allocates nothing. */
PyGILState_STATE gil_enter(void);
void gil_leave(PyGILState_STATE gil);

#endif
