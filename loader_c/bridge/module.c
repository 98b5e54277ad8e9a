/* SPDX-License-Identifier: Apache-2.0
 *
 * The extension module falcopy_sdk.runtime._bridge, and the table of entries.
 */
#include "gil.h"

#include "emitter.h"
#include "falcopy_bridge.h"
#include "host_link.h"
#include "source.h"
#include "state.h"
#include "table.h"

const struct falcopy_bridge bridge_table = {
    .version = FALCOPY_BRIDGE_VERSION,
    .size = sizeof(struct falcopy_bridge),
    .init = entry_init,
    .destroy = entry_destroy,
    .get_last_error = entry_get_last_error,
    .open = entry_open,
    .close = entry_close,
    .list_open_params = entry_list_open_params,
    .get_progress = entry_get_progress,
    .event_to_string = entry_event_to_string,
    .next_batch = entry_next_batch,
    .extract_fields = entry_extract_fields,
    .parse_event = entry_parse_event,
    .set_async_event_handler = entry_set_async_event_handler,
    .dump_state = entry_dump_state,
    .set_config = entry_set_config,
    .get_metrics = entry_get_metrics,
    .capture_open = entry_capture_open,
    .capture_close = entry_capture_close,
};

static PyObject *table_address(PyObject *module, PyObject *ignored) {
    (void)module;
    (void)ignored;
    return PyLong_FromVoidPtr((void *)&bridge_table);
}

static PyMethodDef methods[] = {
    {"table_address", table_address, METH_NOARGS,
     "table_address() -> int: address of the struct falcopy_bridge (falcopy_bridge.h)."},
    {NULL, NULL, 0, NULL},
};

static int module_exec(PyObject *module) {
    if (names_init() != 0) return -1;
    PyTypeObject *types[] = {&host_link_type, &feed_type, &emitter_type};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (PyModule_AddType(module, types[i]) != 0) return -1;
    }
    return 0;
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, module_exec},
    {0, NULL},
};

static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_bridge",
    .m_doc = "The C half of the runtime: plugin states, event queues, field values.",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__bridge(void) { return PyModuleDef_Init(&definition); }
