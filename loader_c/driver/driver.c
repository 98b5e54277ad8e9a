/* SPDX-License-Identifier: Apache-2.0
 *
 * The extension module falcopy_sdk.host._driver: calls entries of a plugin as a host's thread does
 * and takes the time of each, without Python in between. Addresses come from cffi, which owns what
 * they point at; the GIL is not held meanwhile.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <time.h>

#include "falcopy_abi.h"

typedef ss_plugin_rc (*extract_fn)(ss_plugin_t *, const ss_plugin_event_input *,
                                   const ss_plugin_field_extract_input *);
typedef ss_plugin_rc (*next_batch_fn)(ss_plugin_t *, ss_instance_t *, uint32_t *,
                                      ss_plugin_event ***);

static uint64_t now_ns(clockid_t clock) {
    struct timespec at = {0};
    (void)clock_gettime(clock, &at);
    return (uint64_t)at.tv_sec * 1000000000u + (uint64_t)at.tv_nsec;
}

static uint32_t since(uint64_t before) {
    uint64_t spent = now_ns(CLOCK_MONOTONIC) - before;
    return spent < UINT32_MAX ? (uint32_t)spent : UINT32_MAX;
}

static ss_plugin_rc nothing(ss_plugin_t *state, const ss_plugin_event_input *event,
                            const ss_plugin_field_extract_input *in) {
    (void)state, (void)event, (void)in;
    return SS_PLUGIN_SUCCESS;
}

PyDoc_STRVAR(extract_doc,
             "extract(function, state, events, count, input, calls, first, again) -> None\n\n"
             "Asks for the fields of `input` `calls` times, each time of another event of the\n"
             "`count` ones, under a new number, and then once more of the same. Nanoseconds go to\n"
             "the arrays of uint32_t `first` and `again`. The function 0 measures the clock.");

static PyObject *extract(PyObject *module, PyObject *args) {
    unsigned long long function, state, events, in, first, again;
    Py_ssize_t count, calls;
    (void)module;
    if (!PyArg_ParseTuple(args, "KKKnKnKK", &function, &state, &events, &count, &in, &calls, &first,
                          &again)) {
        return NULL;
    }
    if (count < 1) {
        PyErr_SetString(PyExc_ValueError, "extract: no event");
        return NULL;
    }
    extract_fn call = function != 0 ? (extract_fn)(uintptr_t)function : nothing;
    ss_plugin_t *plugin = (ss_plugin_t *)(uintptr_t)state;
    ss_plugin_event_input *inputs = (ss_plugin_event_input *)(uintptr_t)events;
    const ss_plugin_field_extract_input *asked =
        (const ss_plugin_field_extract_input *)(uintptr_t)in;
    uint32_t *miss = (uint32_t *)(uintptr_t)first, *hit = (uint32_t *)(uintptr_t)again;
    Py_BEGIN_ALLOW_THREADS;
    for (Py_ssize_t i = 0; i < calls; i++) {
        ss_plugin_event_input *event = &inputs[i % count];
        event->evtnum += (uint64_t)count;
        uint64_t before = now_ns(CLOCK_MONOTONIC);
        (void)call(plugin, event, asked);
        miss[i] = since(before);
        before = now_ns(CLOCK_MONOTONIC);
        (void)call(plugin, event, asked);
        hit[i] = since(before);
    }
    Py_END_ALLOW_THREADS;
    Py_RETURN_NONE;
}

PyDoc_STRVAR(drain_doc,
             "drain(next_batch, state, instance, limit, seconds, extract, inputs, count, source)\n"
             "    -> (events, nanoseconds, cpu_nanoseconds, rc)\n\n"
             "Reads events until there are `limit`, the source ends or `seconds` are over, and\n"
             "asks for each of the `count` single fields of the array `inputs` of each event.\n"
             "`source` is the event source's name as a C string.");

static PyObject *drain(PyObject *module, PyObject *args) {
    unsigned long long next, state, handle, function, inputs, source;
    Py_ssize_t limit, count;
    double seconds;
    (void)module;
    if (!PyArg_ParseTuple(args, "KKKndKKnK", &next, &state, &handle, &limit, &seconds, &function,
                          &inputs, &count, &source)) {
        return NULL;
    }
    next_batch_fn take = (next_batch_fn)(uintptr_t)next;
    extract_fn call = (extract_fn)(uintptr_t)function;
    ss_plugin_t *plugin = (ss_plugin_t *)(uintptr_t)state;
    ss_instance_t *instance = (ss_instance_t *)(uintptr_t)handle;
    const ss_plugin_field_extract_input *asked =
        (const ss_plugin_field_extract_input *)(uintptr_t)inputs;
    Py_ssize_t read = 0;
    ss_plugin_rc rc = SS_PLUGIN_SUCCESS;
    uint64_t began, last, cpu, cpu_last;
    Py_BEGIN_ALLOW_THREADS;
    began = last = now_ns(CLOCK_MONOTONIC);
    cpu = cpu_last = now_ns(CLOCK_PROCESS_CPUTIME_ID);
    uint64_t until = began + (uint64_t)(seconds * 1e9);
    ss_plugin_event_input event = {.evtsrc = (const char *)(uintptr_t)source};
    while (read < limit && last < until && (rc == SS_PLUGIN_SUCCESS || rc == SS_PLUGIN_TIMEOUT)) {
        uint32_t found = 0;
        ss_plugin_event **events = NULL;
        rc = take(plugin, instance, &found, &events);
        for (uint32_t i = 0; i < found; i++) {
            event.evt = events[i];
            event.evtnum = (uint64_t)++read;
            for (Py_ssize_t f = 0; f < count; f++) (void)call(plugin, &event, &asked[f]);
        }
        uint64_t at = now_ns(CLOCK_MONOTONIC);
        if (found > 0 || at >= until) { /* waiting for nothing is not the plugin's speed */
            last = at;
            cpu_last = now_ns(CLOCK_PROCESS_CPUTIME_ID);
        }
    }
    Py_END_ALLOW_THREADS;
    return Py_BuildValue("nKKi", read, (unsigned long long)(last - began),
                         (unsigned long long)(cpu_last - cpu), (int)rc);
}

static PyMethodDef methods[] = {
    {"extract", extract, METH_VARARGS, extract_doc},
    {"drain", drain, METH_VARARGS, drain_doc},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {{0, NULL}};

static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_driver",
    .m_doc = "Calls a plugin in a loop and takes the time.",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__driver(void) { return PyModuleDef_Init(&definition); }
