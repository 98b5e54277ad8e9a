/* SPDX-License-Identifier: Apache-2.0 */
#include "zip.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "io.h"

enum {
    END_SIZE = 22,
    CENTRAL_SIZE = 46,
    LOCAL_SIZE = 30,
    FLAG_UTF8 = 1 << 11,
    SYSTEM_UNIX = 3,
};

static uint32_t u16(const unsigned char *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8;
}

static uint32_t u32(const unsigned char *at)
{
    return u16(at) | u16(at + 2) << 16;
}

static bool corrupt(const struct zip *zip, struct message *message, const char *what)
{
    return message_set(message, "%s is corrupt: %s; install it again", zip->path, what);
}

bool zip_read(const struct zip *zip, void *buffer, size_t size, uint64_t offset,
              struct message *message)
{
    const ssize_t count = io_read_at(zip->fd, buffer, size, offset);

    if (count < 0)
        return message_set(message, "cannot read %s: %m", zip->path);
    if ((size_t)count != size)
        return message_set(message, "%s was truncated while it was read; install it again",
                           zip->path);
    return true;
}

/* Relative, inside the folder, and the same file however it is spelt. */
static bool name_is_safe(const char *name, size_t length)
{
    size_t part = 0;

    if (length == 0 || memchr(name, '\0', length) != NULL)
        return false;
    for (size_t i = 0; i <= length; i++) {
        if (i < length && name[i] != '/')
            continue;
        const size_t size = i - part;
        /* The empty part after the last "/" of a folder is the one that may be. */
        if (size == 0 && !(i == length && i > 0))
            return false;
        if ((size == 1 && name[part] == '.') || (size == 2 && !memcmp(name + part, "..", 2)))
            return false;
        part = i + 1;
    }
    return true;
}

/* One record of the central directory; `room` bytes are left in it. Returns its
 * size, or 0 with `message` set. The name goes to `name`, NUL-terminated. */
static size_t read_record(const struct zip *zip, const unsigned char *at, size_t room,
                          uint64_t base, struct zip_entry *entry, char *name,
                          struct message *message)
{
    if (room < CENTRAL_SIZE || memcmp(at, "PK\1\2", 4) != 0) {
        (void)corrupt(zip, message, "its directory has a wrong record");
        return 0;
    }
    const size_t length = u16(at + 28);
    const size_t total = CENTRAL_SIZE + length + u16(at + 30) + u16(at + 32);
    if (total > room || length > ZIP_NAME_MAX) {
        (void)corrupt(zip, message, "its directory has a record that is too long");
        return 0;
    }
    if (!name_is_safe((const char *)at + CENTRAL_SIZE, length)) {
        (void)corrupt(zip, message, "its directory names a file outside the bundle");
        return 0;
    }
    memcpy(name, at + CENTRAL_SIZE, length);
    name[length] = '\0';

    const uint32_t mode = at[5] == SYSTEM_UNIX ? u32(at + 38) >> 16 : 0;
    const uint32_t kind = mode & S_IFMT;
    entry->name = name;
    entry->folder = name[length - 1] == '/';
    entry->executable = (mode & S_IXUSR) != 0;
    entry->crc = u32(at + 16);
    entry->size = u32(at + 24);
    entry->header = base + u32(at + 42);
    if ((u16(at + 8) & ~(uint32_t)FLAG_UTF8) != 0 || u16(at + 10) != 0 ||
        u32(at + 20) != entry->size || u16(at + 34) != 0 ||
        (kind != 0 && kind != (entry->folder ? S_IFDIR : S_IFREG)) ||
        (entry->folder && entry->size != 0)) {
        (void)message_set(message,
                          "%s is corrupt: entry %s is not a plain stored file; install it again",
                          zip->path, name);
        return 0;
    }
    return total;
}

static bool read_directory(struct zip *zip, unsigned char *directory, size_t size, uint64_t base,
                           struct message *message)
{
    char *name = zip->names;
    size_t at = 0;

    for (size_t i = 0; i < zip->count; i++) {
        const size_t record = read_record(zip, directory + at, size - at, base, &zip->entries[i],
                                          name, message);
        if (record == 0)
            return false;
        name += strlen(name) + 1;
        at += record;
    }
    if (at != size)
        return corrupt(zip, message, "its directory has a wrong length");
    return true;
}

bool zip_open(struct zip *zip, const char *path, int fd, uint64_t start, uint64_t size,
              struct message *message)
{
    unsigned char end[END_SIZE];

    memset(zip, 0, sizeof(*zip));
    zip->path = path;
    zip->fd = fd;
    zip->start = start;
    if (size < END_SIZE)
        return corrupt(zip, message, "its payload is too small");
    const uint64_t end_offset = start + size - END_SIZE;
    if (!zip_read(zip, end, END_SIZE, end_offset, message))
        return false;
    /* Disk numbers and the comment's length are 0 in what falcopy build writes. */
    if (memcmp(end, "PK\5\6\0\0\0\0", 8) != 0 || u16(end + 8) != u16(end + 10) ||
        u16(end + 20) != 0)
        return corrupt(zip, message, "its payload does not end like a ZIP");

    const uint32_t directory_size = u32(end + 12);
    const uint32_t directory_offset = u32(end + 16);
    zip->count = u16(end + 10);
    if (directory_size > size - END_SIZE ||
        (uint64_t)zip->count * CENTRAL_SIZE > directory_size)
        return corrupt(zip, message, "its directory has a wrong size");
    zip->entries_end = end_offset - directory_size;
    /* Offsets count from the start of the ZIP or, as some writers have it for a ZIP
     * appended to a program, from the start of the file. */
    const uint64_t base = zip->entries_end - directory_offset;
    if (base != start && base != 0)
        return corrupt(zip, message, "its directory is not where it should be");

    unsigned char *directory = malloc(directory_size + 1u);
    zip->entries = calloc(zip->count + 1, sizeof(*zip->entries));
    zip->names = malloc(directory_size + 1u);
    bool ok = false;
    if (directory == NULL || zip->entries == NULL || zip->names == NULL)
        (void)message_set(message, "out of memory while reading %s", path);
    else
        ok = zip_read(zip, directory, directory_size, zip->entries_end, message) &&
             read_directory(zip, directory, directory_size, base, message);
    free(directory);
    return ok;
}

void zip_close(struct zip *zip)
{
    free(zip->entries);
    free(zip->names);
    zip->entries = NULL;
    zip->names = NULL;
    zip->count = 0;
}

bool zip_locate(const struct zip *zip, const struct zip_entry *entry, uint64_t *data,
                struct message *message)
{
    unsigned char local[LOCAL_SIZE + ZIP_NAME_MAX];
    const size_t length = strlen(entry->name);
    const uint64_t known = LOCAL_SIZE + length;

    *data = 0;
    if (entry->header >= zip->start && entry->header <= zip->entries_end &&
        known <= zip->entries_end - entry->header) {
        if (!zip_read(zip, local, (size_t)known, entry->header, message))
            return false;
        *data = entry->header + known + u16(local + 28);
        if (memcmp(local, "PK\3\4", 4) == 0 && (u16(local + 6) & ~(uint32_t)FLAG_UTF8) == 0 &&
            u16(local + 8) == 0 && u32(local + 14) == entry->crc &&
            u32(local + 18) == entry->size && u32(local + 22) == entry->size &&
            u16(local + 26) == length && memcmp(local + LOCAL_SIZE, entry->name, length) == 0 &&
            *data <= zip->entries_end && entry->size <= zip->entries_end - *data)
            return true;
    }
    return message_set(message,
                       "%s is corrupt: entry %s does not match the directory; install it again",
                       zip->path, entry->name);
}
