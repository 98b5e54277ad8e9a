/* SPDX-License-Identifier: Apache-2.0
 *
 * Entries that simply call a method of the Python side: each takes the GIL, writes its
 * out-parameters on every path and lets no exception through.
 */
#include <stdlib.h>
#include <string.h>

#include "state.h"

static bool usable(struct plugin_state *state) {
    return state != NULL && state->instance != NULL;
}

/* GIL. Keeps a copy of `text` in `*kept` and returns it; NULL with an exception set. */
static const char *keep_text(char **kept, PyObject *text) {
    Py_ssize_t size;
    const char *utf8 = PyUnicode_AsUTF8AndSize(text, &size);
    if (utf8 == NULL) return NULL;
    char *copy = strdup(utf8);
    if (copy == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    free(*kept);
    *kept = copy;
    return copy;
}

const char *entry_list_open_params(ss_plugin_t *s, ss_plugin_rc *rc) {
    struct plugin_state *state = (struct plugin_state *)s;
    *rc = SS_PLUGIN_FAILURE;
    if (!usable(state)) return "";
    const char *text = NULL;
    PyGILState_STATE gil = gil_enter();
    PyObject *list = state_call(state, "list_open_params", "()");
    if (list != NULL) text = keep_text(&state->returned.open_params, list);
    if (text != NULL) {
        *rc = SS_PLUGIN_SUCCESS;
    } else {
        state_set_error_from_python(state, "list_open_params");
    }
    Py_XDECREF(list);
    gil_leave(gil);
    return text != NULL ? text : "";
}

const char *entry_get_progress(ss_plugin_t *s, ss_instance_t *h, uint32_t *progress_pct) {
    (void)h;
    struct plugin_state *state = (struct plugin_state *)s;
    *progress_pct = 0;
    if (!usable(state)) return "";
    const char *text = NULL;
    PyGILState_STATE gil = gil_enter();
    PyObject *pair = state_call(state, "progress", "()"); /* (0 to 1, text) */
    double share;
    PyObject *label;
    if (pair != NULL && PyArg_ParseTuple(pair, "dU", &share, &label)) {
        text = keep_text(&state->returned.progress, label);
        if (text != NULL && share > 0) *progress_pct = share >= 1 ? 10000 : (uint32_t)(share * 10000);
    }
    if (text == NULL) {
        state_log_python_error(state, SS_PLUGIN_LOG_SEV_WARNING, "get_progress");
    }
    Py_XDECREF(pair);
    gil_leave(gil);
    return text != NULL ? text : "";
}

const char *entry_event_to_string(ss_plugin_t *s, const ss_plugin_event_input *evt) {
    struct plugin_state *state = (struct plugin_state *)s;
    if (!usable(state) || evt == NULL || evt->evt == NULL) return "";
    const char *text = NULL;
    PyGILState_STATE gil = gil_enter();
    PyObject *event = event_from_input(state, evt);
    PyObject *result = event != NULL ? state_call(state, "event_to_string", "(O)", event) : NULL;
    if (result != NULL) text = keep_text(&state->returned.event_text, result);
    if (text == NULL) {
        state_log_python_error(state, SS_PLUGIN_LOG_SEV_WARNING, "event_to_string");
    }
    Py_XDECREF(result);
    Py_XDECREF(event);
    gil_leave(gil);
    return text != NULL ? text : "";
}

ss_plugin_rc entry_parse_event(ss_plugin_t *s, const ss_plugin_event_input *evt,
                               const ss_plugin_event_parse_input *in) {
    struct plugin_state *state = (struct plugin_state *)s;
    if (!usable(state) || evt == NULL || evt->evt == NULL || in == NULL) return SS_PLUGIN_FAILURE;
    /* What a parser changes (its own state, tables) may change the fields. */
    state_forget_foreign(state);
    PyGILState_STATE gil = gil_enter();
    PyObject *event = event_from_input(state, evt);
    PyObject *address = PyLong_FromVoidPtr((void *)in);
    PyObject *result = NULL;
    if (event != NULL && address != NULL) {
        result = state_call(state, "parse", "(OO)", event, address);
    }
    if (result == NULL) state_set_error_from_python(state, "parse_event");
    ss_plugin_rc rc = result != NULL ? SS_PLUGIN_SUCCESS : SS_PLUGIN_FAILURE;
    Py_XDECREF(result);
    Py_XDECREF(address);
    Py_XDECREF(event);
    gil_leave(gil);
    return rc;
}

ss_plugin_rc entry_set_config(ss_plugin_t *s, const ss_plugin_set_config_input *in) {
    struct plugin_state *state = (struct plugin_state *)s;
    if (!usable(state) || in == NULL) return SS_PLUGIN_FAILURE;
    state_forget_foreign(state);
    PyGILState_STATE gil = gil_enter();
    PyObject *result =
        state_call(state, "set_config", "(s)", in->config != NULL ? in->config : "");
    if (result == NULL) state_set_error_from_python(state, "");
    ss_plugin_rc rc = result != NULL ? SS_PLUGIN_SUCCESS : SS_PLUGIN_FAILURE;
    Py_XDECREF(result);
    gil_leave(gil);
    return rc;
}

static ss_plugin_rc capture(struct plugin_state *state, const ss_plugin_capture_listen_input *in,
                            const char *method) {
    if (!usable(state) || in == NULL) return SS_PLUGIN_FAILURE;
    state_forget_foreign(state);
    PyGILState_STATE gil = gil_enter();
    PyObject *address = PyLong_FromVoidPtr((void *)in);
    PyObject *result = address != NULL ? state_call(state, method, "(O)", address) : NULL;
    if (result == NULL) state_set_error_from_python(state, method);
    ss_plugin_rc rc = result != NULL ? SS_PLUGIN_SUCCESS : SS_PLUGIN_FAILURE;
    Py_XDECREF(result);
    Py_XDECREF(address);
    gil_leave(gil);
    return rc;
}

ss_plugin_rc entry_capture_open(ss_plugin_t *s, const ss_plugin_capture_listen_input *in) {
    return capture((struct plugin_state *)s, in, "capture_open");
}

/* Also called without a capture_open before: the Python side makes that a no-op. */
ss_plugin_rc entry_capture_close(ss_plugin_t *s, const ss_plugin_capture_listen_input *in) {
    return capture((struct plugin_state *)s, in, "capture_close");
}
