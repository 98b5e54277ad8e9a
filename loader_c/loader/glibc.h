/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FALCOPY_LOADER_GLIBC_H
#define FALCOPY_LOADER_GLIBC_H

#include "message.h"

/* Checks the host's C library against the newest symbol version that the payload
 * needs, "2.36" for one. Else dlopen() would fail with a linker's riddle. */
bool glibc_suffices(const char *path, const char *needed, struct message *message);

#endif
