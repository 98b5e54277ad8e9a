/* SPDX-License-Identifier: Apache-2.0 */
#include "request.h"

#include <stdlib.h>
#include <string.h>

void request_table_init(struct request_table *table) {
    memset(table, 0, sizeof *table);
    for (int i = 0; i < REQUEST_BUCKETS; i++) atomic_init(&table->buckets[i], REQUEST_NONE);
    for (int i = 0; i < REQUEST_PLAIN; i++) atomic_init(&table->plain[i], REQUEST_NONE);
    atomic_init(&table->count, 0);
    (void)pthread_mutex_init(&table->append, NULL);
}

void request_table_clear(struct request_table *table) {
    unsigned count = atomic_load(&table->count);
    for (unsigned i = 0; i < count; i++) {
        free(table->requests[i].key);
        Py_CLEAR(table->requests[i].argument_object);
    }
    (void)pthread_mutex_destroy(&table->append);
}

static uint32_t hash(uint32_t field_id, enum argument_kind kind, const char *key,
                     uint64_t index) {
    uint64_t h = (uint64_t)field_id * 0x9E3779B97F4A7C15u + (uint64_t)kind;
    if (kind == ARGUMENT_INDEX) h = (h ^ index) * 0x100000001B3u;
    if (kind == ARGUMENT_KEY) {
        for (; *key != '\0'; key++) h = (h ^ (unsigned char)*key) * 0x100000001B3u;
    }
    return (uint32_t)(h >> 32 ^ h);
}

static bool same(const struct request *request, uint32_t field_id, enum argument_kind kind,
                 const char *key, uint64_t index) {
    if (request->field_id != field_id || request->argument != kind) return false;
    if (kind == ARGUMENT_INDEX) return request->index == index;
    return kind == ARGUMENT_NONE || strcmp(request->key, key) == 0;
}

static int find_in(struct request_table *table, int number, uint32_t field_id,
                   enum argument_kind kind, const char *key, uint64_t index) {
    while (number != REQUEST_NONE &&
           !same(&table->requests[number], field_id, kind, key, index)) {
        number = table->requests[number].next;
    }
    return number;
}

static int append(struct request_table *table, atomic_int *bucket, uint32_t field_id,
                  enum argument_kind kind, const char *key, uint64_t index) {
    (void)pthread_mutex_lock(&table->append);
    int head = atomic_load(bucket);
    int number = find_in(table, head, field_id, kind, key, index);
    unsigned count = atomic_load(&table->count);
    if (number == REQUEST_NONE && count < REQUEST_LIMIT) {
        struct request *request = &table->requests[count];
        char *copy = kind == ARGUMENT_KEY ? strdup(key) : NULL;
        if (kind != ARGUMENT_KEY || copy != NULL) {
            *request = (struct request){.field_id = field_id,
                                        .next = head,
                                        .argument = kind,
                                        .index = index,
                                        .key = copy};
            number = (int)count;
            /* Both release the row: one for those who count, one for those who look up. */
            atomic_store_explicit(&table->count, count + 1, memory_order_release);
            atomic_store_explicit(bucket, number, memory_order_release);
        }
    }
    (void)pthread_mutex_unlock(&table->append);
    return number;
}

int request_find(struct request_table *table, const struct field *field,
                 const ss_plugin_extract_field *asked) {
    enum argument_kind kind = ARGUMENT_NONE;
    const char *key = NULL;
    uint64_t index = 0;
    /* Only arg_present tells: an absent index is UINT64_MAX or 0, by the host's version. */
    if (asked->arg_present && field->argument != ARGUMENT_NONE) {
        kind = field->argument;
        key = asked->arg_key;
        index = kind == ARGUMENT_INDEX ? asked->arg_index : 0;
        if (kind == ARGUMENT_KEY && key == NULL) return REQUEST_NONE;
    }
    bool is_plain = kind == ARGUMENT_NONE && asked->field_id < REQUEST_PLAIN;
    if (is_plain) {
        int plain = atomic_load_explicit(&table->plain[asked->field_id], memory_order_acquire);
        if (plain != REQUEST_NONE) return plain;
    }
    atomic_int *bucket =
        &table->buckets[hash(asked->field_id, kind, key, index) % REQUEST_BUCKETS];
    int head = atomic_load_explicit(bucket, memory_order_acquire);
    int number = find_in(table, head, asked->field_id, kind, key, index);
    if (number == REQUEST_NONE) {
        number = append(table, bucket, asked->field_id, kind, key, index);
    }
    if (is_plain) atomic_store_explicit(&table->plain[asked->field_id], number, memory_order_release);
    return number;
}

int request_argument(struct request *request, PyObject **argument) {
    *argument = NULL;
    if (request->argument == ARGUMENT_NONE) return 0;
    if (request->argument_object == NULL) {
        if (request->argument == ARGUMENT_INDEX) {
            request->argument_object = PyLong_FromUnsignedLongLong(request->index);
        } else {
            request->argument_object =
                PyUnicode_DecodeUTF8(request->key, (Py_ssize_t)strlen(request->key), "replace");
        }
        if (request->argument_object == NULL) return -1;
    }
    *argument = request->argument_object;
    return 0;
}
