/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory that is freed all at once. What it hands out never moves, so pointers
 * into it (strings of a list field, events of a batch) stay valid until reset.
 * Not thread-safe: one thread fills an arena at a time.
 */
#ifndef FALCOPY_ARENA_H
#define FALCOPY_ARENA_H

#include <stddef.h>

struct arena_chunk {
    struct arena_chunk *next;
    size_t size; /* of `bytes` */
    size_t used;
    _Alignas(16) unsigned char bytes[];
};

struct arena {
    struct arena_chunk *chunks; /* the one in use first */
    struct arena_chunk *spare;  /* ordinary ones of before the last reset */
};

/* 16-byte aligned, uninitialised; NULL when memory is out. */
void *arena_alloc(struct arena *arena, size_t size);
/* The same, zeroed. */
void *arena_zalloc(struct arena *arena, size_t size);
/* Forgets everything, keeping ordinary chunks for reuse. */
void arena_reset(struct arena *arena);
void arena_free(struct arena *arena);

#endif
