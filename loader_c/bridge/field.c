/* SPDX-License-Identifier: Apache-2.0 */
#include "field.h"

#include <stdlib.h>
#include <string.h>

PyObject *name_data, *name_ts, *name_json;

int names_init(void) {
    name_data = PyUnicode_InternFromString("data");
    name_ts = PyUnicode_InternFromString("ts");
    name_json = PyUnicode_InternFromString("json");
    return name_data && name_ts && name_json ? 0 : -1;
}

static PyObject *owned_or_null(PyObject *object) {
    if (object == Py_None) return NULL;
    Py_INCREF(object);
    return object;
}

static int field_init(struct field *field, PyObject *row) {
    PyObject *name, *path, *null, *call;
    int is_list, cached, argument, each;
    unsigned int type;
    if (!PyTuple_Check(row)) {
        PyErr_SetString(PyExc_TypeError, "field_table: every row is a tuple");
        return -1;
    }
    if (!PyArg_ParseTuple(row, "UIppiOOpO", &name, &type, &is_list, &cached, &argument, &path,
                          &null, &each, &call)) {
        return -1;
    }
    field->name = PyUnicode_AsUTF8(name);
    if (field->name == NULL) return -1;
    Py_INCREF(name);
    field->name_object = name;
    field->type = type;
    field->is_list = is_list != 0;
    field->cached = cached != 0;
    field->argument = (enum argument_kind)argument;
    field->path = owned_or_null(path);
    field->each = each != 0;
    field->null = owned_or_null(null);
    field->call = owned_or_null(call);
    if ((field->path == NULL) == (field->call == NULL)) {
        PyErr_Format(PyExc_TypeError, "field_table: %s needs a path or a callable", field->name);
        return -1;
    }
    return 0;
}

int field_table_init(struct field_table *table, PyObject *instance) {
    memset(table, 0, sizeof *table);
    PyObject *rows = PyObject_GetAttrString(instance, "field_table");
    if (rows == NULL) return -1;
    Py_ssize_t count = PyTuple_Check(rows) ? PyTuple_GET_SIZE(rows) : -1;
    if (count < 0) {
        PyErr_SetString(PyExc_TypeError, "field_table is a tuple");
        Py_DECREF(rows);
        return -1;
    }
    table->fields = calloc((size_t)count + 1, sizeof *table->fields);
    if (table->fields == NULL) {
        Py_DECREF(rows);
        PyErr_NoMemory();
        return -1;
    }
    int rc = 0;
    for (Py_ssize_t i = 0; rc == 0 && i < count; i++) {
        table->count = (uint32_t)i + 1;
        rc = field_init(&table->fields[i], PyTuple_GET_ITEM(rows, i));
    }
    Py_DECREF(rows);
    if (rc != 0) return -1;

    PyObject *decoded_first = PyObject_GetAttrString(instance, "decoded_first");
    if (decoded_first == NULL) return -1;
    table->decoded_first = decoded_first == Py_True;
    Py_DECREF(decoded_first);

    PyObject *helpers = PyImport_ImportModule("falcopy_sdk.runtime.values");
    if (helpers == NULL) return -1;
    table->to_text = PyObject_GetAttrString(helpers, "to_text");
    table->from_json = PyObject_GetAttrString(helpers, "from_json");
    table->to_integer = PyObject_GetAttrString(helpers, "to_integer");
    table->to_packed = PyObject_GetAttrString(helpers, "to_packed");
    Py_DECREF(helpers);
    return table->to_text && table->from_json && table->to_integer &&
                   table->to_packed
               ? 0
               : -1;
}

void field_table_clear(struct field_table *table) {
    for (uint32_t i = 0; i < table->count; i++) {
        Py_XDECREF(table->fields[i].name_object);
        Py_XDECREF(table->fields[i].path);
        Py_XDECREF(table->fields[i].null);
        Py_XDECREF(table->fields[i].call);
    }
    free(table->fields);
    Py_CLEAR(table->to_text);
    Py_CLEAR(table->from_json);
    Py_CLEAR(table->to_integer);
    Py_CLEAR(table->to_packed);
    memset(table, 0, sizeof *table);
}

int field_compute(const struct field_table *table, struct field *field, PyObject *event,
                  PyObject **json, PyObject *argument, struct arena *arena, struct cell *cell) {
    cell->state = CELL_NONE;
    cell->count = 0;
    cell->values = NULL;
    bool needs_json = field->path != NULL || table->decoded_first;
    if (needs_json && *json == NULL) {
        *json = PyObject_GetAttr(event, name_json);
        if (*json == NULL) {
            /* Not decodable: told once an event by the caller; every field has no value. */
            Py_INCREF(Py_None);
            *json = Py_None;
            return -1;
        }
    }
    PyObject *value;
    if (needs_json && *json == Py_None) {
        value = Py_NewRef(Py_None);
    } else if (field->path != NULL) {
        value = path_resolve(table, field, *json, argument);
    } else if (argument == NULL) {
        value = PyObject_CallOneArg(field->call, event);
    } else {
        PyObject *arguments[] = {NULL, event, argument};
        value = PyObject_Vectorcall(field->call, arguments + 1,
                                    2 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    }
    if (value == NULL) return -1;
    int rc = value == Py_None ? 0 : value_to_cell(table, field, value, arena, cell);
    Py_DECREF(value);
    if (rc != 0) {
        cell->state = CELL_NONE;
        cell->count = 0;
        cell->values = NULL;
    }
    return rc;
}
