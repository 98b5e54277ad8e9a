/* SPDX-License-Identifier: Apache-2.0 */
#include "host_link.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "state.h"

struct host_link {
    PyObject_HEAD
    ss_plugin_owner_t *owner;
    ss_plugin_log_fn_t log;
    const char *(*get_owner_last_error)(ss_plugin_owner_t *);
    struct plugin_state *state;                /* until it is cut */
    const ss_plugin_init_tables_input *tables; /* the host's stack: only during init */
    const ss_plugin_field_extract_input *extracting; /* the same: only during extract_fields */
    pthread_mutex_t lock;
    pthread_cond_t idle;
    unsigned calls; /* into the host, under way */
    bool cut;
};

static bool enter_host(struct host_link *link) {
    (void)pthread_mutex_lock(&link->lock);
    bool allowed = !link->cut;
    if (allowed) link->calls++;
    (void)pthread_mutex_unlock(&link->lock);
    return allowed;
}

static void leave_host(struct host_link *link) {
    (void)pthread_mutex_lock(&link->lock);
    if (--link->calls == 0) (void)pthread_cond_broadcast(&link->idle);
    (void)pthread_mutex_unlock(&link->lock);
}

PyObject *host_link_new(const ss_plugin_init_input *in, struct plugin_state *state) {
    struct host_link *link = PyObject_New(struct host_link, &host_link_type);
    if (link == NULL) return NULL;
    link->owner = in->owner;
    link->get_owner_last_error = in->get_owner_last_error;
    /* Newer than the declared API version: not there. */
    link->log = state->api_minor >= 3 ? in->log_fn : NULL;
    link->state = state;
    link->tables = in->tables;
    link->extracting = NULL;
    link->calls = 0;
    link->cut = false;
    (void)pthread_mutex_init(&link->lock, NULL);
    (void)pthread_cond_init(&link->idle, NULL);
    return (PyObject *)link;
}

void host_link_set_extracting(PyObject *object, const ss_plugin_field_extract_input *in) {
    ((struct host_link *)object)->extracting = in;
}

void host_link_cut(PyObject *object) {
    struct host_link *link = (struct host_link *)object;
    Py_BEGIN_ALLOW_THREADS
    (void)pthread_mutex_lock(&link->lock);
    link->cut = true;
    while (link->calls != 0) (void)pthread_cond_wait(&link->idle, &link->lock);
    (void)pthread_mutex_unlock(&link->lock);
    Py_END_ALLOW_THREADS
}

static void log_as(struct host_link *link, ss_plugin_log_severity severity,
                   const char *component, const char *text) {
    if (link->log == NULL) return;
    Py_BEGIN_ALLOW_THREADS
    if (enter_host(link)) {
        link->log(link->owner, component, text, severity);
        leave_host(link);
    }
    Py_END_ALLOW_THREADS
}

void host_link_log(PyObject *object, ss_plugin_log_severity severity, const char *text) {
    log_as((struct host_link *)object, severity, NULL, text);
}

static void dealloc(PyObject *self) {
    struct host_link *link = (struct host_link *)self;
    (void)pthread_mutex_destroy(&link->lock);
    (void)pthread_cond_destroy(&link->idle);
    Py_TYPE(self)->tp_free(self);
}

static PyObject *method_log(PyObject *self, PyObject *arguments) {
    struct host_link *link = (struct host_link *)self;
    int severity;
    const char *component;
    PyObject *message;
    if (!PyArg_ParseTuple(arguments, "izU", &severity, &component, &message)) return NULL;
    if (severity < SS_PLUGIN_LOG_SEV_FATAL || severity > SS_PLUGIN_LOG_SEV_TRACE) {
        PyErr_Format(PyExc_ValueError, "log severity %d is outside 1 to 8", severity);
        return NULL;
    }
    PyObject *text = PyUnicode_AsEncodedString(message, "utf-8", "backslashreplace");
    if (text == NULL) return NULL;
    log_as(link, (ss_plugin_log_severity)severity, component, PyBytes_AS_STRING(text));
    Py_DECREF(text);
    return PyBool_FromLong(link->log != NULL && !link->cut);
}

static PyObject *method_end_init(PyObject *self, PyObject *ignored) {
    (void)ignored;
    ((struct host_link *)self)->tables = NULL;
    Py_RETURN_NONE;
}

static PyObject *get_tables(PyObject *self, void *closure) {
    (void)closure;
    return PyLong_FromVoidPtr((void *)((struct host_link *)self)->tables);
}

static PyObject *get_extracting(PyObject *self, void *closure) {
    (void)closure;
    return PyLong_FromVoidPtr((void *)((struct host_link *)self)->extracting);
}

static PyObject *get_owner(PyObject *self, void *closure) {
    (void)closure;
    return PyLong_FromVoidPtr(((struct host_link *)self)->owner);
}

static PyObject *get_owner_error(PyObject *self, PyObject *ignored) {
    (void)ignored;
    struct host_link *link = (struct host_link *)self;
    const char *text = NULL;
    if (link->get_owner_last_error != NULL && enter_host(link)) {
        text = link->get_owner_last_error(link->owner);
        leave_host(link);
    }
    return PyUnicode_DecodeUTF8(text != NULL ? text : "", text != NULL ? (Py_ssize_t)strlen(text) : 0,
                                "replace");
}

static PyObject *set_last_error(PyObject *self, PyObject *message) {
    struct host_link *link = (struct host_link *)self;
    PyObject *text = PyUnicode_AsEncodedString(message, "utf-8", "backslashreplace");
    if (text == NULL) return NULL;
    if (enter_host(link)) { /* the state is there as long as that holds */
        state_set_error(link->state, PyBytes_AS_STRING(text));
        leave_host(link);
    }
    Py_DECREF(text);
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"log", method_log, METH_VARARGS,
     "log(severity, component, message) -> bool: False when the host has no logger."},
    {"end_init", method_end_init, METH_NOARGS, "Forget what is valid during init only."},
    {"owner_last_error", get_owner_error, METH_NOARGS, "The host's own last error, or ''."},
    {"set_last_error", set_last_error, METH_O, "Keep a text for plugin_get_last_error."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef getters[] = {
    {"tables", get_tables, NULL,
     "Address of ss_plugin_init_tables_input during init; 0 later, or without tables.", NULL},
    {"extracting", get_extracting, NULL,
     "Address of ss_plugin_field_extract_input while a field that is not memoised is computed.",
     NULL},
    {"owner", get_owner, NULL, "Address of the ss_plugin_owner_t.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyTypeObject host_link_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "falcopy_sdk.runtime._bridge.HostLink",
    .tp_basicsize = sizeof(struct host_link),
    .tp_dealloc = dealloc,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_doc = "The plugin's way back to its host.",
    .tp_methods = methods,
    .tp_getset = getters,
};
