/* SPDX-License-Identifier: Apache-2.0
 *
 * System calls that finish what they began: hosts use timers without SA_RESTART,
 * so any call may end early with EINTR.
 */
#ifndef FALCOPY_LOADER_IO_H
#define FALCOPY_LOADER_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* openat() that is repeated on EINTR; O_CLOEXEC is added. */
int io_open(int folder, const char *name, int flags, mode_t mode);

/* Reads up to `size` bytes at `offset`; fewer only at the end of the file. -1 and
 * errno on failure. pread, not a mapping: a file that somebody truncates
 * meanwhile gives a short read and not SIGBUS. */
ssize_t io_read_at(int fd, void *buffer, size_t size, uint64_t offset);

/* Writes it all, or returns false and errno. */
bool io_write(int fd, const void *buffer, size_t size);

#endif
