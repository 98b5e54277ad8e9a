/* SPDX-License-Identifier: Apache-2.0 */
#include "arena.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK_SIZE = 256 * 1024, ALIGNMENT = 16 };

static struct arena_chunk *new_chunk(size_t size) {
    struct arena_chunk *chunk = malloc(sizeof *chunk + size);
    if (chunk != NULL) {
        chunk->next = NULL;
        chunk->size = size;
        chunk->used = 0;
    }
    return chunk;
}

/* An ordinary chunk, used before or new. */
static struct arena_chunk *take_chunk(struct arena *arena) {
    struct arena_chunk *chunk = arena->spare;
    if (chunk == NULL) return new_chunk(CHUNK_SIZE);
    arena->spare = chunk->next;
    chunk->used = 0;
    return chunk;
}

void *arena_alloc(struct arena *arena, size_t size) {
    if (size > SIZE_MAX / 2) return NULL;
    size = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    struct arena_chunk *chunk = arena->chunks;
    if (chunk == NULL || chunk->size - chunk->used < size) {
        bool large = size > CHUNK_SIZE;
        struct arena_chunk *fresh = large ? new_chunk(size) : take_chunk(arena);
        if (fresh == NULL) return NULL;
        if (chunk != NULL && large) {
            /* One of its own goes behind, so that the rest of this chunk is used. */
            fresh->next = chunk->next;
            chunk->next = fresh;
        } else {
            fresh->next = chunk;
            arena->chunks = fresh;
        }
        chunk = fresh;
    }
    void *result = chunk->bytes + chunk->used;
    chunk->used += size;
    return result;
}

void *arena_zalloc(struct arena *arena, size_t size) {
    void *result = arena_alloc(arena, size);
    if (result != NULL) memset(result, 0, size);
    return result;
}

void arena_reset(struct arena *arena) {
    struct arena_chunk *chunk = arena->chunks;
    while (chunk != NULL) {
        struct arena_chunk *next = chunk->next;
        if (chunk->size == CHUNK_SIZE) {
            /* Given back and asked for again, every page of it would fault anew. */
            chunk->next = arena->spare;
            arena->spare = chunk;
        } else {
            free(chunk);
        }
        chunk = next;
    }
    arena->chunks = NULL;
}

void arena_free(struct arena *arena) {
    arena_reset(arena);
    while (arena->spare != NULL) {
        struct arena_chunk *next = arena->spare->next;
        free(arena->spare);
        arena->spare = next;
    }
}
