/* SPDX-License-Identifier: Apache-2.0
 *
 * plugin_init and plugin_destroy.
 */
#include <stdio.h>
#include <stdlib.h>

#include "host_link.h"
#include "state.h"

static struct plugin_state *state_new(const char *api_version) {
    struct plugin_state *state = calloc(1, sizeof *state);
    if (state == NULL) return NULL;
    unsigned major = 3, minor = 0;
    (void)sscanf(api_version != NULL ? api_version : "", "%u.%u", &major, &minor);
    state->api_minor = minor;
    (void)pthread_mutex_init(&state->compute, NULL);
    (void)pthread_mutex_init(&state->error.lock, NULL);
    request_table_init(&state->requests);
    return state;
}

/* GIL. 0, or -1 with a Python exception set. */
static int state_start(struct plugin_state *state, const char *plugin_ref,
                       const ss_plugin_init_input *in) {
    PyObject *entry = PyImport_ImportModule("falcopy_sdk.runtime.entry");
    if (entry == NULL) return -1;
    state->describe = PyObject_GetAttrString(entry, "describe");
    state->link = host_link_new(in, state);
    PyObject *instance = NULL;
    if (state->describe != NULL && state->link != NULL) {
        instance = PyObject_CallMethod(entry, "create", "ssO", plugin_ref,
                                       in->config != NULL ? in->config : "", state->link);
    }
    Py_DECREF(entry);
    if (instance == NULL) return -1;
    state->received = PyObject_GetAttrString(instance, "received");
    if (state->received == NULL || field_table_init(&state->fields, instance) != 0) {
        field_table_clear(&state->fields);
        Py_DECREF(instance);
        return -1;
    }
    state->instance = instance;
    return 0;
}

ss_plugin_t *entry_init(const char *plugin_ref, const char *api_version,
                        const ss_plugin_init_input *in, ss_plugin_rc *rc) {
    *rc = SS_PLUGIN_FAILURE;
    struct plugin_state *state = state_new(api_version);
    if (state == NULL) return NULL;
    if (in == NULL || plugin_ref == NULL) {
        state_set_error(state, "init: called without its input");
        return (ss_plugin_t *)state;
    }
    PyGILState_STATE gil = gil_enter();
    if (state_start(state, plugin_ref, in) == 0) {
        *rc = SS_PLUGIN_SUCCESS;
    } else {
        state_set_error_from_python(state, "");
    }
    gil_leave(gil);
    return (ss_plugin_t *)state;
}

static void close_all(struct plugin_state *state) {
    for (int i = 0; i < STATE_SOURCES; i++) {
        struct event_source *source = atomic_load(&state->sources[i]);
        if (source != NULL) entry_close((ss_plugin_t *)state, (ss_instance_t *)source);
    }
    async_stop(state);
}

void entry_destroy(ss_plugin_t *s) {
    struct plugin_state *state = (struct plugin_state *)s;
    if (state == NULL) return;
    close_all(state); /* a host that forgot to */
    PyGILState_STATE gil = gil_enter();
    if (state->instance != NULL) {
        PyObject *result = state_call(state, "close", "()");
        if (result == NULL) {
            state_log_python_error(state, SS_PLUGIN_LOG_SEV_WARNING, "the plugin cannot be closed");
        }
        Py_XDECREF(result);
    }
    if (state->link != NULL) host_link_cut(state->link);
    if (!state->abandoned) {
        field_table_clear(&state->fields);
        request_table_clear(&state->requests);
        Py_CLEAR(state->instance);
        Py_CLEAR(state->received);
        Py_CLEAR(state->describe);
        Py_CLEAR(state->link);
        /* What the plugin has in cycles would else stay until tens of thousands of objects more. */
        (void)PyGC_Collect();
    }
    gil_leave(gil);
    if (state->abandoned) return;
    arena_free(&state->foreign.arena);
    free(state->returned.open_params);
    free(state->returned.progress);
    free(state->returned.event_text);
    free(state->returned.offsets);
    metric_array_free(state->returned.metrics);
    (void)pthread_mutex_destroy(&state->compute);
    (void)pthread_mutex_destroy(&state->error.lock);
    free(state);
}
