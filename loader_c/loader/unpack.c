/* SPDX-License-Identifier: Apache-2.0 */
#include "unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crc32.h"
#include "io.h"

#define CHUNK (1u << 20)

struct unpacking {
    const struct zip *zip;
    int root;
    struct message *message;
    char folder[ZIP_NAME_MAX + 1]; /* the last one made, so that it is made once */
    struct crc32 crc;
    unsigned char chunk[CHUNK];
};

/* Makes the folders that `name` lies in. */
static enum unpack_result make_folders(struct unpacking *job, const char *name)
{
    char folder[ZIP_NAME_MAX + 1];
    const char *last = strrchr(name, '/');

    if (last == NULL)
        return UNPACK_DONE;
    memcpy(folder, name, (size_t)(last - name));
    folder[last - name] = '\0';
    if (strcmp(folder, job->folder) == 0)
        return UNPACK_DONE;
    for (char *end = folder;; *end++ = '/') {
        end = strchr(end, '/');
        if (end != NULL)
            *end = '\0';
        if (mkdirat(job->root, folder, 0700) != 0 && errno != EEXIST) {
            (void)message_set(job->message, "cannot make the folder %s: %m", folder);
            return UNPACK_NO_ROOM;
        }
        if (end == NULL)
            break;
    }
    strcpy(job->folder, folder);
    return UNPACK_DONE;
}

static enum unpack_result copy(struct unpacking *job, const struct zip_entry *entry,
                               uint64_t offset, int file)
{
    uint32_t crc = 0;

    for (uint32_t left = entry->size; left > 0;) {
        const uint32_t size = left < CHUNK ? left : CHUNK;
        if (!zip_read(job->zip, job->chunk, size, offset, job->message))
            return UNPACK_BAD_PAYLOAD;
        crc = crc32_update(&job->crc, crc, job->chunk, size);
        if (!io_write(file, job->chunk, size)) {
            (void)message_set(job->message, "cannot write %s: %m", entry->name);
            return UNPACK_NO_ROOM;
        }
        offset += size;
        left -= size;
    }
    if (crc != entry->crc) {
        (void)message_set(job->message,
                          "%s is corrupt: entry %s has the wrong checksum; install it again",
                          job->zip->path, entry->name);
        return UNPACK_BAD_PAYLOAD;
    }
    return UNPACK_DONE;
}

static enum unpack_result unpack_entry(struct unpacking *job, const struct zip_entry *entry)
{
    enum unpack_result result = make_folders(job, entry->name);
    uint64_t offset;

    if (result != UNPACK_DONE || entry->folder)
        return result;
    if (!zip_locate(job->zip, entry, &offset, job->message))
        return UNPACK_BAD_PAYLOAD;
    const int file = io_open(job->root, entry->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW,
                             entry->executable ? 0700 : 0600);
    if (file < 0) {
        if (errno == EEXIST || errno == ENOTDIR) {
            (void)message_set(job->message, "%s is corrupt: it has entry %s twice; install it again",
                              job->zip->path, entry->name);
            return UNPACK_BAD_PAYLOAD;
        }
        (void)message_set(job->message, "cannot create %s: %m", entry->name);
        return UNPACK_NO_ROOM;
    }
    result = copy(job, entry, offset, file);
    /* Quotas and network file systems may report a failed write only here. */
    if (close(file) != 0 && errno != EINTR && result == UNPACK_DONE) {
        (void)message_set(job->message, "cannot write %s: %m", entry->name);
        result = UNPACK_NO_ROOM;
    }
    return result;
}

enum unpack_result unpack(const struct zip *zip, int root, struct message *message)
{
    enum unpack_result result = UNPACK_DONE;
    struct unpacking *job = malloc(sizeof(*job));

    if (job == NULL) {
        (void)message_set(message, "out of memory");
        return UNPACK_NO_ROOM;
    }
    job->zip = zip;
    job->root = root;
    job->message = message;
    job->folder[0] = '\0';
    crc32_prepare(&job->crc);
    for (size_t i = 0; i < zip->count && result == UNPACK_DONE; i++)
        result = unpack_entry(job, &zip->entries[i]);
    free(job);
    return result;
}

bool unpack_is_whole(const struct zip *zip, int root)
{
    for (size_t i = 0; i < zip->count; i++) {
        const struct zip_entry *entry = &zip->entries[i];
        struct stat status;
        if (fstatat(root, entry->name, &status, AT_SYMLINK_NOFOLLOW) != 0)
            return false;
        if (entry->folder ? !S_ISDIR(status.st_mode)
                          : !S_ISREG(status.st_mode) || (uint64_t)status.st_size != entry->size)
            return false;
    }
    return true;
}
