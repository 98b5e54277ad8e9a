/* SPDX-License-Identifier: Apache-2.0
 *
 * plugin_get_metrics: called from any thread of the host, also from several at once, so
 * every thread has an array of its own, valid until that thread's next call.
 */
#include <stdlib.h>
#include <string.h>

#include "state.h"

enum { KEPT_ARRAYS = 1024 /* for hosts that scrape from ever new threads: then the oldest go */ };

struct metric_array {
    struct metric_array *next;
    pthread_t reader;
    uint32_t count;
    ss_plugin_metric *metrics;
    struct arena arena;
};

void metric_array_free(struct metric_array *metrics) {
    while (metrics != NULL) {
        struct metric_array *next = metrics->next;
        arena_free(&metrics->arena);
        free(metrics);
        metrics = next;
    }
}

/* From (name, type, value type, value). GIL. */
static int metric_fill(ss_plugin_metric *metric, struct arena *arena, PyObject *row) {
    const char *name;
    unsigned type, value_type;
    PyObject *value;
    if (!PyArg_ParseTuple(row, "sIIO", &name, &type, &value_type, &value)) return -1;
    char *copy = arena_alloc(arena, strlen(name) + 1);
    if (copy == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    metric->name = strcpy(copy, name);
    metric->type = (ss_plugin_metric_type)type;
    metric->value_type = (ss_plugin_metric_value_type)value_type;
    switch (metric->value_type) {
    case SS_PLUGIN_METRIC_VALUE_TYPE_U64:
        metric->value.u64 = PyLong_AsUnsignedLongLong(value);
        break;
    case SS_PLUGIN_METRIC_VALUE_TYPE_S64:
        metric->value.s64 = PyLong_AsLongLong(value);
        break;
    case SS_PLUGIN_METRIC_VALUE_TYPE_D:
        metric->value.d = PyFloat_AsDouble(value);
        break;
    default:
        PyErr_Format(PyExc_TypeError, "metric %s: value type %u is not used", name, value_type);
    }
    return PyErr_Occurred() ? -1 : 0;
}

/* GIL. NULL with an exception set. */
static struct metric_array *metric_array_new(PyObject *rows) {
    if (!PyList_Check(rows)) {
        PyErr_SetString(PyExc_TypeError, "metrics: a list is expected");
        return NULL;
    }
    struct metric_array *array = calloc(1, sizeof *array);
    size_t count = (size_t)PyList_GET_SIZE(rows);
    if (array != NULL) {
        array->metrics = arena_zalloc(&array->arena, (count + 1) * sizeof *array->metrics);
    }
    if (array == NULL || array->metrics == NULL) {
        metric_array_free(array);
        PyErr_NoMemory();
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        PyObject *row = PyList_GET_ITEM(rows, (Py_ssize_t)i);
        if (metric_fill(&array->metrics[i], &array->arena, row) != 0) {
            metric_array_free(array);
            return NULL;
        }
    }
    array->count = (uint32_t)count;
    return array;
}

/* GIL, which also orders the callers. Replaces the array that this thread read before. */
static void keep(struct plugin_state *state, struct metric_array *array) {
    array->reader = pthread_self();
    array->next = state->returned.metrics;
    state->returned.metrics = array;
    struct metric_array **link = &array->next;
    for (int kept = 1; *link != NULL; kept++) {
        struct metric_array *older = *link;
        if (pthread_equal(older->reader, array->reader) || kept >= KEPT_ARRAYS) {
            *link = older->next;
            older->next = NULL;
            metric_array_free(older);
            return;
        }
        link = &older->next;
    }
}

ss_plugin_metric *entry_get_metrics(ss_plugin_t *s, uint32_t *num_metrics) {
    struct plugin_state *state = (struct plugin_state *)s;
    *num_metrics = 0;
    if (state == NULL || state->instance == NULL) return NULL;
    PyGILState_STATE gil = gil_enter();
    PyObject *rows = state_call(state, "metrics", "()");
    struct metric_array *array = rows != NULL ? metric_array_new(rows) : NULL;
    if (array != NULL) {
        keep(state, array);
    } else {
        state_log_python_error(state, SS_PLUGIN_LOG_SEV_WARNING, "get_metrics");
    }
    Py_XDECREF(rows);
    gil_leave(gil);
    if (array == NULL) return NULL;
    *num_metrics = array->count;
    return array->metrics;
}
