/* SPDX-License-Identifier: Apache-2.0
 *
 * From what a field returned to the C values that plugin_types.h asks for.
 */
#include <string.h>

#include "field.h"

static const size_t ITEM_SIZE[] = {
    [FTYPE_UINT64] = sizeof(uint64_t),
    [FTYPE_STRING] = sizeof(char *),
    [FTYPE_RELTIME] = sizeof(uint64_t),
    [FTYPE_ABSTIME] = sizeof(uint64_t),
    [FTYPE_BOOL] = sizeof(ss_plugin_bool),
    [FTYPE_IPADDR] = sizeof(ss_plugin_byte_buffer),
    [FTYPE_IPNET] = sizeof(ss_plugin_byte_buffer),
};

static int out_of_memory(void) {
    PyErr_NoMemory();
    return -1;
}

static int wrong_type(const struct field *field, const char *expected, PyObject *value) {
    PyErr_Format(PyExc_TypeError, "field %s: expected %s, got %.100s", field->name, expected,
                 Py_TYPE(value)->tp_name);
    return -1;
}

/* Hosts take strlen() of a string: it ends at the first NUL. Text that has no UTF-8 form
 * (lone surrogates) keeps the rest, with "?" for those. */
static int string_item(const struct field *field, PyObject *value, struct arena *arena,
                       const char **item) {
    if (!PyUnicode_Check(value)) return wrong_type(field, "str", value);
    PyObject *encoded = NULL;
    Py_ssize_t size;
    const char *text = PyUnicode_AsUTF8AndSize(value, &size);
    if (text == NULL) {
        if (!PyErr_ExceptionMatches(PyExc_UnicodeEncodeError)) return -1;
        PyErr_Clear();
        encoded = PyUnicode_AsEncodedString(value, "utf-8", "replace");
        if (encoded == NULL) return -1;
        text = PyBytes_AS_STRING(encoded);
        size = PyBytes_GET_SIZE(encoded);
    }
    char *copy = arena_alloc(arena, (size_t)size + 1);
    if (copy != NULL) {
        memcpy(copy, text, (size_t)size);
        copy[size] = '\0';
    }
    Py_XDECREF(encoded);
    if (copy == NULL) return out_of_memory();
    *item = copy;
    return 0;
}

static int integer_item(const struct field *field, PyObject *value, uint64_t *item) {
    if (!PyLong_Check(value)) return wrong_type(field, "int", value);
    unsigned long long number = PyLong_AsUnsignedLongLong(value);
    if (number == (unsigned long long)-1 && PyErr_Occurred()) {
        PyErr_Format(PyExc_OverflowError, "field %s: %S is outside 0 to 2**64 - 1", field->name,
                     value);
        return -1;
    }
    *item = number;
    return 0;
}

static int time_item(const struct field_table *table, const struct field *field, PyObject *value,
                     uint64_t *item) {
    if (PyLong_Check(value)) return integer_item(field, value, item);
    PyObject *nanoseconds = PyObject_CallOneArg(table->to_integer, value);
    if (nanoseconds == NULL) return -1;
    int rc = integer_item(field, nanoseconds, item);
    Py_DECREF(nanoseconds);
    return rc;
}

/* Any length but 4 and 16 makes the host throw, which ends Falco. */
static int address_item(const struct field_table *table, const struct field *field,
                        PyObject *value, struct arena *arena, ss_plugin_byte_buffer *item) {
    PyObject *packed = PyObject_CallOneArg(table->to_packed, value);
    if (packed == NULL) return -1;
    int rc = -1;
    if (!PyBytes_Check(packed) || (PyBytes_GET_SIZE(packed) != 4 && PyBytes_GET_SIZE(packed) != 16)) {
        rc = wrong_type(field, "an address of 4 or 16 bytes", value);
    } else {
        size_t size = (size_t)PyBytes_GET_SIZE(packed);
        void *copy = arena_alloc(arena, size);
        if (copy == NULL) {
            rc = out_of_memory();
        } else {
            memcpy(copy, PyBytes_AS_STRING(packed), size);
            item->len = (uint32_t)size;
            item->ptr = copy;
            rc = 0;
        }
    }
    Py_DECREF(packed);
    return rc;
}

static int item_at(const struct field_table *table, const struct field *field, PyObject *value,
                   struct arena *arena, void *items, size_t index) {
    switch (field->type) {
    case FTYPE_STRING:
        return string_item(field, value, arena, (const char **)items + index);
    case FTYPE_UINT64:
        return integer_item(field, value, (uint64_t *)items + index);
    case FTYPE_RELTIME:
    case FTYPE_ABSTIME:
        return time_item(table, field, value, (uint64_t *)items + index);
    case FTYPE_BOOL: {
        int truth = PyObject_IsTrue(value);
        if (truth < 0) return -1;
        ((ss_plugin_bool *)items)[index] = (ss_plugin_bool)truth;
        return 0;
    }
    case FTYPE_IPADDR:
    case FTYPE_IPNET:
        return address_item(table, field, value, arena, (ss_plugin_byte_buffer *)items + index);
    default:
        PyErr_Format(PyExc_TypeError, "field %s: unknown field type %u", field->name, field->type);
        return -1;
    }
}

static int list_to_cell(const struct field_table *table, const struct field *field,
                        PyObject *value, struct arena *arena, struct cell *cell) {
    if (PyUnicode_Check(value) || PyBytes_Check(value)) {
        return wrong_type(field, "a list", value);
    }
    /* A copy of a list: converting its items may run Python code, and that may change it. */
    PyObject *items = PyList_Check(value)
                          ? PyList_AsTuple(value)
                          : PySequence_Fast(value, "a list field returns an iterable");
    if (items == NULL) return -1;
    Py_ssize_t count = PySequence_Fast_GET_SIZE(items);
    int rc = 0;
    if (count > UINT32_MAX) {
        PyErr_Format(PyExc_OverflowError, "field %s: too many values", field->name);
        rc = -1;
    } else if (count > 0) {
        /* The array first and never moved: the strings follow it in the arena. */
        void *values = arena_alloc(arena, (size_t)count * ITEM_SIZE[field->type]);
        if (values == NULL) rc = out_of_memory();
        for (Py_ssize_t i = 0; rc == 0 && i < count; i++) {
            rc = item_at(table, field, PySequence_Fast_GET_ITEM(items, i), arena, values,
                         (size_t)i);
        }
        if (rc == 0) {
            cell->values = values;
            cell->count = (uint32_t)count;
            cell->state = CELL_VALUE;
        }
    }
    Py_DECREF(items);
    return rc;
}

int value_to_cell(const struct field_table *table, const struct field *field, PyObject *value,
                  struct arena *arena, struct cell *cell) {
    if (field->type >= sizeof ITEM_SIZE / sizeof *ITEM_SIZE || ITEM_SIZE[field->type] == 0) {
        PyErr_Format(PyExc_TypeError, "field %s: unknown field type %u", field->name, field->type);
        return -1;
    }
    if (field->is_list) return list_to_cell(table, field, value, arena, cell);
    void *values = arena_alloc(arena, ITEM_SIZE[field->type]);
    if (values == NULL) return out_of_memory();
    if (item_at(table, field, value, arena, values, 0) != 0) return -1;
    cell->values = values;
    cell->count = 1;
    cell->state = CELL_VALUE;
    return 0;
}
