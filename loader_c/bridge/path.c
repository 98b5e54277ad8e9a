/* SPDX-License-Identifier: Apache-2.0
 *
 * Declarative fields: keys from the decoded event to a value, without a Python frame.
 */
#include "field.h"

/* JSON text of what is no string. Numbers and booleans, the common case, without orjson. */
static PyObject *json_text(const struct field_table *table, PyObject *value) {
    if (PyBool_Check(value)) return PyUnicode_FromString(value == Py_True ? "true" : "false");
    if (PyLong_Check(value)) return PyObject_Str(value);
    PyObject *bytes = PyObject_CallOneArg(table->to_text, value);
    if (bytes == NULL) return NULL;
    PyObject *text = PyUnicode_FromEncodedObject(bytes, "utf-8", "replace");
    Py_DECREF(bytes);
    return text;
}

static PyObject *rendered(const struct field_table *table, const struct field *field,
                          PyObject *value) {
    if (value == Py_None) return Py_NewRef(field->null != NULL ? field->null : Py_None);
    if (PyUnicode_Check(value)) return Py_NewRef(value);
    return json_text(table, value);
}

/* One JSON value as the field's type; None where it does not fit: the data is at fault, not
 * the plugin, so that is no error. */
static PyObject *typed(const struct field_table *table, const struct field *field,
                       PyObject *value) {
    if (field->type == FTYPE_STRING) return rendered(table, field, value);
    if (value == Py_None) return Py_NewRef(Py_None);
    if (field->type == FTYPE_BOOL) return Py_NewRef(PyBool_Check(value) ? value : Py_None);
    return PyObject_CallFunction(table->from_json, "IO", field->type, value);
}

/* Appends `value` in the field's type, unless it is none. 0, or -1 with an exception set. */
static int append_typed(const struct field_table *table, const struct field *field,
                        PyObject *value, PyObject *list) {
    PyObject *item = typed(table, field, value);
    if (item == NULL) return -1;
    int rc = item == Py_None ? 0 : PyList_Append(list, item);
    Py_DECREF(item);
    return rc;
}

/* What a declarative field with `each` walks with. */
struct walk {
    const struct field_table *table;
    const struct field *field;
    PyObject *found;
    Py_ssize_t index; /* of the element to follow in every list; -1: follow all */
};

/* Lists are taken apart before a key, never at the end of the path: what is found there is
 * one value. Decoders limit the depth of lists in lists. */
static int walk_on(const struct walk *walk, PyObject *value, Py_ssize_t at) {
    PyObject *path = walk->field->path;
    if (at == PyTuple_GET_SIZE(path)) {
        return append_typed(walk->table, walk->field, value, walk->found);
    }
    if (PyDict_Check(value)) {
        PyObject *next = PyDict_GetItemWithError(value, PyTuple_GET_ITEM(path, at));
        if (next == NULL) return PyErr_Occurred() ? -1 : 0;
        return walk_on(walk, next, at + 1);
    }
    if (!PyList_Check(value)) return 0;
    Py_ssize_t first = walk->index < 0 ? 0 : walk->index;
    Py_ssize_t size = PyList_GET_SIZE(value);
    Py_ssize_t last = walk->index < 0 || walk->index >= size ? size : walk->index + 1;
    for (Py_ssize_t i = first; i < last; i++) {
        PyObject *element = PyList_GET_ITEM(value, i);
        /* A list directly in a list has no place for a second index. */
        if (walk->index >= 0 && PyList_Check(element)) continue;
        if (Py_EnterRecursiveCall(" in a declarative field") != 0) return -1;
        int rc = walk_on(walk, element, at);
        Py_LeaveRecursiveCall();
        if (rc != 0) return -1;
    }
    return 0;
}

static PyObject *resolve_each(const struct field_table *table, const struct field *field,
                              PyObject *json, PyObject *argument) {
    struct walk walk = {.table = table, .field = field, .index = -1};
    if (argument != NULL) {
        walk.index = PyLong_AsSsize_t(argument);
        if (walk.index == -1 && PyErr_Occurred()) {
            if (!PyErr_ExceptionMatches(PyExc_OverflowError)) return NULL;
            PyErr_Clear(); /* beyond any list */
            return Py_NewRef(Py_None);
        }
    }
    walk.found = PyList_New(0);
    if (walk.found != NULL && walk_on(&walk, json, 0) != 0) Py_CLEAR(walk.found);
    return walk.found;
}

PyObject *path_resolve(const struct field_table *table, const struct field *field, PyObject *json,
                       PyObject *argument) {
    if (field->each) return resolve_each(table, field, json, argument);
    PyObject *value = json; /* borrowed: the decoded event holds everything below it */
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(field->path); i++) {
        if (!PyDict_Check(value)) return Py_NewRef(Py_None);
        value = PyDict_GetItemWithError(value, PyTuple_GET_ITEM(field->path, i));
        if (value == NULL) return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
    }
    if (!field->is_list) return typed(table, field, value);
    if (!PyList_Check(value)) return Py_NewRef(Py_None);
    PyObject *result = PyList_New(0);
    for (Py_ssize_t i = 0; result != NULL && i < PyList_GET_SIZE(value); i++) {
        if (append_typed(table, field, PyList_GET_ITEM(value, i), result) != 0) Py_CLEAR(result);
    }
    return result;
}
