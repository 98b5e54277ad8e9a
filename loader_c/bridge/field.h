/* SPDX-License-Identifier: Apache-2.0
 *
 * The plugin's fields as the bridge sees them: read once from the Python side.
 */
#ifndef FALCOPY_FIELD_H
#define FALCOPY_FIELD_H

#include "gil.h"

#include <stdbool.h>
#include <stdint.h>

#include "arena.h"
#include "falcopy_abi.h"

enum argument_kind { ARGUMENT_NONE = 0, ARGUMENT_KEY = 1, ARGUMENT_INDEX = 2 };

struct field {
    const char *name; /* UTF-8, kept alive by `name_object` */
    PyObject *name_object;
    uint32_t type; /* ss_plugin_field_type */
    bool is_list;
    bool cached;
    enum argument_kind argument;
    PyObject *path; /* tuple of str, or NULL */
    bool each;      /* lists on the path are mapped, or indexed by the argument */
    PyObject *null; /* str: what a JSON null on `path` stands for, or NULL */
    PyObject *call; /* callable(event[, argument]), or NULL */
    uint64_t errors;  /* with the GIL; the first one is logged */
};

/* Interned attribute names of Event; made by names_init(), GIL. */
extern PyObject *name_data, *name_ts, *name_json;
int names_init(void);

struct field_table {
    uint32_t count;
    struct field *fields;
    /* The plugin has a decoder of its own: an event it gives None for has no field at all.
     * Otherwise only declarative fields decode. */
    bool decoded_first;
    PyObject *to_text;     /* callable(object) -> bytes: compact JSON */
    PyObject *from_json;   /* callable(type, object) -> object or None, for rare path types */
    PyObject *to_integer;  /* callable(datetime or timedelta) -> int ns */
    PyObject *to_packed;   /* callable(address or network) -> bytes, network order */
};

/* A value as extract_fields returns it (plugin_types.h, ss_plugin_extract_field). */
struct cell {
    uint32_t state; /* enum cell_state */
    uint32_t count; /* res_len */
    void *values;   /* res: an array of `count` items */
};

enum cell_state { CELL_UNSET = 0, CELL_NONE = 1, CELL_VALUE = 2 };

/* From the tuple that falcopy_sdk.runtime.instance.Instance.field_table holds.
 * -1 with a Python error set when it is malformed. GIL. */
int field_table_init(struct field_table *table, PyObject *instance);
void field_table_clear(struct field_table *table);

/* Computes one field of one event into `cell`, whose memory comes from `arena`.
 * `argument` is NULL when there is none. `json` is the decoded event, or NULL when it has
 * not been needed so far; it is filled in (Py_None when there is none). 0: done, value or none. -1: the field raised;
 * the cell says "none" and the Python error is set. GIL. */
int field_compute(const struct field_table *table, struct field *field, PyObject *event,
                  PyObject **json, PyObject *argument, struct arena *arena, struct cell *cell);

/* Converts what a field returned (value.c). Same results as field_compute(). GIL. */
int value_to_cell(const struct field_table *table, const struct field *field, PyObject *value,
                  struct arena *arena, struct cell *cell);

/* Resolves a declarative field (path.c): a new reference; Py_None: no value; NULL: error. GIL. */
PyObject *path_resolve(const struct field_table *table, const struct field *field, PyObject *json,
                       PyObject *argument);

#endif
