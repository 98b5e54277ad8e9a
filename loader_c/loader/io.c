/* SPDX-License-Identifier: Apache-2.0 */
#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int io_open(int folder, const char *name, int flags, mode_t mode)
{
    int fd;

    do {
        fd = openat(folder, name, flags | O_CLOEXEC, mode);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

ssize_t io_read_at(int fd, void *buffer, size_t size, uint64_t offset)
{
    char *at = buffer;
    size_t done = 0;

    while (done < size) {
        const ssize_t count = pread(fd, at + done, size - done, (off_t)(offset + done));
        if (count < 0) {
            if (errno == EINTR)
                continue;
            return -1;
        }
        if (count == 0)
            break;
        done += (size_t)count;
    }
    return (ssize_t)done;
}

bool io_write(int fd, const void *buffer, size_t size)
{
    const char *at = buffer;

    while (size > 0) {
        const ssize_t count = write(fd, at, size);
        if (count < 0) {
            if (errno == EINTR)
                continue;
            return false;
        }
        at += count;
        size -= (size_t)count;
    }
    return true;
}
