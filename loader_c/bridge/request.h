/* SPDX-License-Identifier: Apache-2.0
 *
 * What the host has asked for so far: (field, argument) pairs, numbered in the
 * order of their first appearance. The source thread computes them ahead for the
 * events it produces. Append-only, so readers take no lock.
 */
#ifndef FALCOPY_REQUEST_H
#define FALCOPY_REQUEST_H

#include <pthread.h>
#include <stdatomic.h>

#include "field.h"

enum { REQUEST_LIMIT = 1024, REQUEST_BUCKETS = 256, REQUEST_PLAIN = 512, REQUEST_NONE = -1 };

struct request {
    uint32_t field_id;
    int next; /* in its bucket, or REQUEST_NONE */
    enum argument_kind argument;
    uint64_t index;
    char *key;
    /* Made with the GIL at the first use, by whoever computes first. */
    PyObject *argument_object;
};

struct request_table {
    atomic_uint count;
    /* By field id, those without an argument: most calls end here. */
    atomic_int plain[REQUEST_PLAIN];
    atomic_int buckets[REQUEST_BUCKETS];
    struct request requests[REQUEST_LIMIT];
    pthread_mutex_t append;
};

void request_table_init(struct request_table *table);
/* GIL. */
void request_table_clear(struct request_table *table);

/* The number of the pair that `asked` stands for, REQUEST_NONE if it cannot be had: a
 * required argument is missing, memory or the table (REQUEST_LIMIT) is full. No GIL. */
int request_find(struct request_table *table, const struct field *field,
                 const ss_plugin_extract_field *asked);

/* Fills *argument with a borrowed reference, NULL when there is no argument. -1: error. GIL. */
int request_argument(struct request *request, PyObject **argument);

#endif
