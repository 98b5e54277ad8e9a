/* SPDX-License-Identifier: Apache-2.0
 *
 * What every entry of a plugin state needs: its last error, its log, calls into Python.
 */
#include "state.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "host_link.h"

void state_set_error(struct plugin_state *state, const char *text) {
    struct last_error *error = &state->error;
    (void)pthread_mutex_lock(&error->lock);
    (void)snprintf(error->text, sizeof error->text, "%s", text);
    (void)pthread_mutex_unlock(&error->lock);
}

const char *entry_get_last_error(ss_plugin_t *s) {
    struct plugin_state *state = (struct plugin_state *)s;
    if (state == NULL) return "";
    struct last_error *error = &state->error;
    (void)pthread_mutex_lock(&error->lock);
    memcpy(error->given, error->text, sizeof error->given);
    (void)pthread_mutex_unlock(&error->lock);
    return error->given;
}

/* The exception that is set, taken: a new reference, or NULL. */
static PyObject *take_exception(void) {
#if PY_VERSION_HEX >= 0x030C0000
    return PyErr_GetRaisedException();
#else
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback != NULL) (void)PyException_SetTraceback(value, traceback);
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    return value;
#endif
}

void describe_python_error(PyObject *describe, const char *what, char *text, size_t size) {
    PyObject *exception = take_exception();
    PyObject *line = NULL;
    if (exception != NULL) {
        line = describe != NULL ? PyObject_CallOneArg(describe, exception)
                                : PyObject_Str(exception);
    }
    const char *utf8 = line != NULL ? PyUnicode_AsUTF8(line) : NULL;
    if (utf8 == NULL) {
        PyErr_Clear();
        utf8 = "an exception that cannot be described";
    }
    (void)snprintf(text, size, "%s%s%s", what, *what != '\0' ? ": " : "", utf8);
    Py_XDECREF(line);
    Py_XDECREF(exception);
}

void state_set_error_from_python(struct plugin_state *state, const char *what) {
    char text[PLUGIN_MAX_ERRLEN];
    describe_python_error(state->describe, what, text, sizeof text);
    state_set_error(state, text);
}

void state_log_python_error(struct plugin_state *state, ss_plugin_log_severity severity,
                            const char *what) {
    char text[PLUGIN_MAX_ERRLEN];
    describe_python_error(state->describe, what, text, sizeof text);
    host_link_log(state->link, severity, text);
}

void state_field_error(struct plugin_state *state, struct field *field) {
    if (field->errors++ == 0) {
        char what[256];
        (void)snprintf(what, sizeof what,
                       "field %s has no value for an event (further cases are only counted)",
                       field->name);
        state_log_python_error(state, SS_PLUGIN_LOG_SEV_WARNING, what);
    } else {
        PyErr_Clear();
    }
}

void state_decode_error(struct plugin_state *state) {
    if (state->decode_errors++ == 0) {
        state_log_python_error(state, SS_PLUGIN_LOG_SEV_WARNING,
                               "an event cannot be decoded, its fields have no value "
                               "(further cases are only counted)");
    } else {
        PyErr_Clear();
    }
}

void state_forget_foreign(struct plugin_state *state) {
    (void)pthread_mutex_lock(&state->compute);
    state->foreign.valid = false;
    (void)pthread_mutex_unlock(&state->compute);
}

PyObject *event_from_input(struct plugin_state *state, const ss_plugin_event_input *input) {
    uint32_t size;
    const void *payload = event_payload(input->evt, &size);
    ss_plugin_event header;
    memcpy(&header, input->evt, sizeof header);
    const char *source = input->evtsrc != NULL ? input->evtsrc : "";
    return PyObject_CallFunction(state->received, "y#KKs", payload, (Py_ssize_t)size,
                                 (unsigned long long)header.ts, (unsigned long long)input->evtnum,
                                 source);
}

PyObject *state_call(struct plugin_state *state, const char *name, const char *format, ...) {
    va_list values;
    va_start(values, format);
    PyObject *arguments = Py_VaBuildValue(format, values);
    va_end(values);
    if (arguments == NULL) return NULL;
    PyObject *method = PyObject_GetAttrString(state->instance, name);
    PyObject *result = method != NULL ? PyObject_Call(method, arguments, NULL) : NULL;
    Py_XDECREF(method);
    Py_DECREF(arguments);
    return result;
}
