/* SPDX-License-Identifier: Apache-2.0
 *
 * plugin_open, plugin_close and plugin_next_batch.
 */
#include "source.h"

#include <stdio.h>
#include <stdlib.h>

#include "host_link.h"
#include "thread.h"

enum { INTERRUPT_SECONDS = 10 /* JOIN_SECONDS is a multiple of it */ };

struct event_queue *source_queue(struct event_source *source) { return &source->queue; }

static void *run_source(void *argument) {
    struct event_source *source = argument;
    PyGILState_STATE gil = gil_enter();
    PyObject *result = PyObject_CallMethod(source->driver, "run", NULL);
    ss_plugin_rc rc = SS_PLUGIN_EOF;
    if (result == NULL) {
        /* The driver retries by itself: only what the author called fatal arrives here. */
        state_set_error_from_python(source->state, "");
        rc = SS_PLUGIN_FAILURE;
    }
    Py_XDECREF(result);
    gil_leave(gil);
    queue_end(&source->queue, rc);
    return NULL;
}

static void source_free(struct event_source *source) {
    if (source->feed != NULL) feed_cut(source->feed);
    Py_CLEAR(source->feed);
    Py_CLEAR(source->driver);
    queue_free(&source->queue);
    free(source);
}

static bool claim_slot(struct plugin_state *state, struct event_source *source) {
    for (int i = 0; i < STATE_SOURCES; i++) {
        struct event_source *empty = NULL;
        if (atomic_compare_exchange_strong(&state->sources[i], &empty, source)) return true;
    }
    return false;
}

/* Whether the handle was open; from here on it is not. */
static bool release_slot(struct plugin_state *state, struct event_source *source) {
    for (int i = 0; i < STATE_SOURCES; i++) {
        struct event_source *expected = source;
        if (atomic_compare_exchange_strong(&state->sources[i], &expected, NULL)) return true;
    }
    return false;
}

/* GIL. 0, or -1 with a Python exception set. */
static int source_prepare(struct event_source *source, const char *params) {
    source->feed = feed_new(source);
    if (source->feed == NULL) return -1;
    source->driver = state_call(source->state, "open", "(sO)", params, source->feed);
    return source->driver != NULL ? 0 : -1;
}

ss_instance_t *entry_open(ss_plugin_t *s, const char *params, ss_plugin_rc *rc) {
    struct plugin_state *state = (struct plugin_state *)s;
    *rc = SS_PLUGIN_FAILURE;
    if (state == NULL || state->instance == NULL) return NULL;
    state_forget_foreign(state);
    struct event_source *source = calloc(1, sizeof *source);
    if (source == NULL || queue_init(&source->queue) != 0) {
        state_set_error(state, "open: out of memory or file descriptors");
        free(source);
        return NULL;
    }
    source->state = state;
    PyGILState_STATE gil = gil_enter();
    int prepared = source_prepare(source, params != NULL ? params : "");
    if (prepared != 0) state_set_error_from_python(state, "");
    gil_leave(gil);

    const char *problem = NULL;
    if (prepared == 0 && !claim_slot(state, source)) {
        problem = "open: too many event sources are open on one plugin";
    } else if (prepared == 0) {
        source->started =
            thread_start(&source->thread, "falcopy-source", run_source, source) == 0;
        if (source->started) {
            *rc = SS_PLUGIN_SUCCESS;
            return (ss_instance_t *)source;
        }
        (void)release_slot(state, source);
        problem = "open: the source thread cannot be started";
    }
    if (problem != NULL) state_set_error(state, problem);
    gil = gil_enter();
    source_free(source);
    gil_leave(gil);
    return NULL;
}

static void source_interrupt(struct event_source *source) {
    PyGILState_STATE gil = gil_enter();
    PyObject *result = PyObject_CallMethod(source->driver, "stop", NULL);
    if (result == NULL) {
        state_log_python_error(source->state, SS_PLUGIN_LOG_SEV_ERROR,
                               "the source cannot be stopped");
    }
    Py_XDECREF(result);
    gil_leave(gil);
}

void entry_close(ss_plugin_t *s, ss_instance_t *h) {
    struct plugin_state *state = (struct plugin_state *)s;
    struct event_source *source = (struct event_source *)h;
    /* Hosts close a NULL handle after a failed open, and may close twice. */
    if (state == NULL || source == NULL || !release_slot(state, source)) return;
    queue_close(&source->queue);
    bool joined = false;
    /* The author's code may swallow an interruption: there is one more now and then. */
    for (int waited = 0; !joined && waited < JOIN_SECONDS; waited += INTERRUPT_SECONDS) {
        source_interrupt(source);
        joined = thread_join(source->thread, INTERRUPT_SECONDS);
    }
    PyGILState_STATE gil = gil_enter();
    if (joined) {
        source_free(source);
        PyObject *result = state_call(state, "source_closed", "()");
        if (result == NULL) {
            state_log_python_error(state, SS_PLUGIN_LOG_SEV_WARNING, "the source has closed");
        }
        Py_XDECREF(result);
    } else {
        /* Freeing what a live thread uses would crash the host: it keeps its memory. */
        char text[128];
        (void)snprintf(text, sizeof text,
                       "the source has not ended %d s after close; its thread is left behind",
                       JOIN_SECONDS);
        state->abandoned = true;
        feed_cut(source->feed);
        host_link_log(state->link, SS_PLUGIN_LOG_SEV_ERROR, text);
        (void)pthread_detach(source->thread);
    }
    gil_leave(gil);
}

ss_plugin_rc entry_next_batch(ss_plugin_t *s, ss_instance_t *h, uint32_t *nevts,
                              ss_plugin_event ***evts) {
    *nevts = 0;
    *evts = NULL;
    if (s == NULL || h == NULL) {
        if (s != NULL) state_set_error((struct plugin_state *)s, "next_batch: no open source");
        return SS_PLUGIN_FAILURE;
    }
    return queue_next(&((struct event_source *)h)->queue, nevts, evts);
}
