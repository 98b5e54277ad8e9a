/* SPDX-License-Identifier: Apache-2.0
 *
 * Scratch folders: made beside the cache entries, removed again. A scratch
 * folder is locked while somebody works in it, so that one that a killed process
 * left behind can be told from one in use, also across PID namespaces.
 */
#ifndef FALCOPY_LOADER_TREE_H
#define FALCOPY_LOADER_TREE_H

#include <stdbool.h>

#define SCRATCH_NAME_SIZE 64

/* Makes an empty, locked folder of mode 0700 in `base`; returns it opened, or -1
 * and errno. Closing it unlocks it. */
int scratch_make(int base, char name[SCRATCH_NAME_SIZE]);

/* A name in `base` for scratch_remove(), not yet taken. */
void scratch_name(char name[SCRATCH_NAME_SIZE]);

/* Removes a folder with all that is in it, following no links. Best effort: what
 * cannot be removed stays and costs only disk space. */
void scratch_remove(int base, const char *name);

/* Removes the scratch folders of the caller's own user in `base` that nobody
 * works in any more. */
void scratch_clean(int base);

/* Of the payload's hash, in the name of a cache entry. */
#define ENTRY_DIGITS 32

/* Removes from `base` the caller's own entries of other versions of the plugin whose
 * entry is `entry`, as far as no process uses them (see hold() in cache.c). */
void entries_clean(int base, const char *entry);

#endif
