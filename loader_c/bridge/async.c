/* SPDX-License-Identifier: Apache-2.0
 *
 * Asynchronous events: the author's method runs on a thread of its own between
 * set_async_event_handler(handler) and set_async_event_handler(NULL).
 */
#include <stdlib.h>

#include "emitter.h"
#include "host_link.h"
#include "state.h"
#include "thread.h"

struct async_events {
    struct plugin_state *state;
    PyObject *emitter, *driver;
    pthread_t thread;
};

static void *run_async(void *argument) {
    struct async_events *async = argument;
    PyGILState_STATE gil = gil_enter();
    PyObject *result = PyObject_CallMethod(async->driver, "run", NULL);
    if (result == NULL) {
        state_log_python_error(async->state, SS_PLUGIN_LOG_SEV_ERROR,
                               "the thread of asynchronous events has ended");
    }
    Py_XDECREF(result);
    gil_leave(gil);
    return NULL;
}

void async_stop(struct plugin_state *state) {
    struct async_events *async = state->async;
    if (async == NULL) return;
    state->async = NULL;
    PyGILState_STATE gil = gil_enter();
    emitter_close(async->emitter); /* waits for calls into the host that are under way */
    PyObject *result = PyObject_CallMethod(async->driver, "stop", NULL);
    if (result == NULL) {
        state_log_python_error(state, SS_PLUGIN_LOG_SEV_ERROR,
                               "the thread of asynchronous events cannot be stopped");
    }
    Py_XDECREF(result);
    gil_leave(gil);
    bool joined = thread_join(async->thread, JOIN_SECONDS);
    gil = gil_enter();
    if (joined) {
        Py_CLEAR(async->emitter);
        Py_CLEAR(async->driver);
        free(async);
    } else {
        state->abandoned = true;
        host_link_log(state->link, SS_PLUGIN_LOG_SEV_ERROR,
                      "the thread of asynchronous events does not end; it is left behind");
        (void)pthread_detach(async->thread);
    }
    gil_leave(gil);
}

/* GIL. 0, or -1 with an exception set. */
static int async_prepare(struct async_events *async, ss_plugin_owner_t *owner,
                         ss_plugin_async_event_handler_t handler) {
    async->emitter = emitter_new(owner, handler);
    if (async->emitter == NULL) return -1;
    async->driver = state_call(async->state, "async_events", "(O)", async->emitter);
    return async->driver != NULL ? 0 : -1;
}

ss_plugin_rc entry_set_async_event_handler(ss_plugin_t *s, ss_plugin_owner_t *owner,
                                           ss_plugin_async_event_handler_t handler) {
    struct plugin_state *state = (struct plugin_state *)s;
    if (state == NULL || state->instance == NULL) return SS_PLUGIN_FAILURE;
    /* NULL may come twice, or without a handler before; a second handler replaces the first. */
    async_stop(state);
    if (handler == NULL) return SS_PLUGIN_SUCCESS;

    struct async_events *async = calloc(1, sizeof *async);
    if (async == NULL) {
        state_set_error(state, "set_async_event_handler: out of memory");
        return SS_PLUGIN_FAILURE;
    }
    async->state = state;
    PyGILState_STATE gil = gil_enter();
    int rc = async_prepare(async, owner, handler);
    if (rc != 0) state_set_error_from_python(state, "set_async_event_handler");
    gil_leave(gil);
    if (rc == 0 && thread_start(&async->thread, "falcopy-async", run_async, async) != 0) {
        state_set_error(state, "set_async_event_handler: the thread cannot be started");
        rc = -1;
    }
    if (rc == 0) {
        state->async = async;
        return SS_PLUGIN_SUCCESS;
    }
    gil = gil_enter();
    Py_XDECREF(async->emitter);
    Py_XDECREF(async->driver);
    gil_leave(gil);
    free(async);
    return SS_PLUGIN_FAILURE;
}

ss_plugin_rc entry_dump_state(ss_plugin_t *s, ss_plugin_owner_t *owner,
                              ss_plugin_async_event_handler_t handler) {
    struct plugin_state *state = (struct plugin_state *)s;
    if (state == NULL || state->instance == NULL || handler == NULL) return SS_PLUGIN_FAILURE;
    PyGILState_STATE gil = gil_enter();
    PyObject *emitter = emitter_new(owner, handler);
    PyObject *result = emitter != NULL ? state_call(state, "dump_state", "(O)", emitter) : NULL;
    if (result == NULL) state_set_error_from_python(state, "dump_state");
    if (emitter != NULL) emitter_close(emitter); /* the handler is valid during this call only */
    Py_XDECREF(emitter);
    ss_plugin_rc rc = result != NULL ? SS_PLUGIN_SUCCESS : SS_PLUGIN_FAILURE;
    Py_XDECREF(result);
    gil_leave(gil);
    return rc;
}
