/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads the payload: a ZIP (PKWARE APPNOTE 6.3) of stored entries, appended to
 * this shared library. Only what falcopy build writes is accepted: no
 * compression, encryption, data descriptors, ZIP64, links or comment.
 */
#ifndef FALCOPY_LOADER_ZIP_H
#define FALCOPY_LOADER_ZIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "message.h"

#define ZIP_NAME_MAX 1024u

struct zip_entry {
    const char *name; /* relative, checked: no "..", no empty part; folders end in "/" */
    uint64_t header;  /* of the local header, from the start of the file */
    uint32_t size;
    uint32_t crc;
    bool folder;
    bool executable;
};

struct zip {
    const char *path; /* of the file, for messages; borrowed */
    int fd;           /* borrowed */
    uint64_t start;   /* of the ZIP in the file */
    uint64_t entries_end;
    size_t count;
    struct zip_entry *entries;
    char *names;
};

/* Reads and checks the central directory of the ZIP at [start, start + size). On
 * failure `message` says what is wrong. zip_close() is needed in both cases. */
bool zip_open(struct zip *zip, const char *path, int fd, uint64_t start, uint64_t size,
              struct message *message);
void zip_close(struct zip *zip);

/* Compares the entry's local header with the central directory and gives the
 * place of its bytes in the file. */
bool zip_locate(const struct zip *zip, const struct zip_entry *entry, uint64_t *data,
                struct message *message);

/* Reads exactly `size` bytes at `offset` of the file. */
bool zip_read(const struct zip *zip, void *buffer, size_t size, uint64_t offset,
              struct message *message);

#endif
