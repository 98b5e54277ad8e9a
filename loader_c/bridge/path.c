/* SPDX-License-Identifier: Apache-2.0
 *
 * Declarative fields: keys from the decoded event to a value, without a Python frame.
 */
#include "field.h"

static PyObject *rendered(const struct field_table *table, const struct field *field,
                          PyObject *value) {
    if (value == Py_None) return Py_NewRef(field->null != NULL ? field->null : Py_None);
    if (PyUnicode_Check(value)) return Py_NewRef(value);
    PyObject *bytes = PyObject_CallOneArg(table->to_text, value);
    if (bytes == NULL) return NULL;
    PyObject *text = PyUnicode_FromEncodedObject(bytes, "utf-8", "replace");
    Py_DECREF(bytes);
    return text;
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

static PyObject *typed_list(const struct field_table *table, const struct field *field,
                            PyObject *list) {
    PyObject *result = PyList_New(0);
    for (Py_ssize_t i = 0; result != NULL && i < PyList_GET_SIZE(list); i++) {
        PyObject *item = typed(table, field, PyList_GET_ITEM(list, i));
        if (item == NULL || (item != Py_None && PyList_Append(result, item) != 0)) {
            Py_CLEAR(result);
        }
        Py_XDECREF(item);
    }
    return result;
}

PyObject *path_resolve(const struct field_table *table, const struct field *field,
                       PyObject *json) {
    PyObject *value = json; /* borrowed: the decoded event holds everything below it */
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(field->path); i++) {
        if (!PyDict_Check(value)) return Py_NewRef(Py_None);
        value = PyDict_GetItemWithError(value, PyTuple_GET_ITEM(field->path, i));
        if (value == NULL) return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
    }
    if (!field->is_list) return typed(table, field, value);
    if (!PyList_Check(value)) return Py_NewRef(Py_None);
    return typed_list(table, field, value);
}
