/* SPDX-License-Identifier: Apache-2.0
 *
 * The file that this library was loaded from.
 */
#ifndef FALCOPY_LOADER_SELF_H
#define FALCOPY_LOADER_SELF_H

#include <limits.h>
#include <stdint.h>

#include "message.h"

/* Its absolute path as it was when the library was loaded: the host may change
 * its working folder later. */
const char *self_path(void);

/* The folder that it lies in. */
void self_folder(char folder[PATH_MAX]);

/* Opens it for reading and checks that it is still the file that was loaded and
 * at least `size` bytes long. -1 with `message` set on failure. */
int self_open(uint64_t size, struct message *message);

#endif
