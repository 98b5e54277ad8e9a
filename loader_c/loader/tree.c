/* SPDX-License-Identifier: Apache-2.0 */
#include "tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "io.h"

#define PREFIX ".falcopy-tmp-"
#define TRIES 100

enum { FOLDER_FLAGS = O_RDONLY | O_DIRECTORY | O_NOFOLLOW };

void scratch_name(char name[SCRATCH_NAME_SIZE])
{
    static atomic_uint calls;
    struct timespec now = {0};

    /* Unique, not secret: mkdirat() refuses a name that somebody else took. */
    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)snprintf(name, SCRATCH_NAME_SIZE, PREFIX "%ld-%08" PRIx32 "%02x", (long)getpid(),
                   (uint32_t)now.tv_nsec ^ (uint32_t)now.tv_sec << 8,
                   atomic_fetch_add(&calls, 1) & 0xFFu);
}

int scratch_make(int base, char name[SCRATCH_NAME_SIZE])
{
    for (int i = 0; i < TRIES; i++) {
        struct stat status;
        scratch_name(name);
        if (mkdirat(base, name, 0700) != 0) {
            if (errno == EEXIST)
                continue;
            return -1;
        }
        const int folder = io_open(base, name, FOLDER_FLAGS, 0);
        if (folder < 0) {
            if (errno == ENOENT) /* a cleaner was faster */
                continue;
            return -1;
        }
        /* A cleaner may come between mkdirat() and flock(): then it holds the lock,
         * or the folder is gone already. */
        if (flock(folder, LOCK_EX | LOCK_NB) == 0 && fstat(folder, &status) == 0 &&
            status.st_nlink > 0)
            return folder;
        (void)close(folder);
    }
    errno = EBUSY;
    return -1;
}

/* Empties the folder and closes it. */
static void empty(int folder)
{
    DIR *listing = fdopendir(folder);
    const struct dirent *item;

    if (listing == NULL) {
        (void)close(folder);
        return;
    }
    while ((item = readdir(listing)) != NULL) {
        if (strcmp(item->d_name, ".") == 0 || strcmp(item->d_name, "..") == 0)
            continue;
        const int inner = io_open(folder, item->d_name, FOLDER_FLAGS, 0);
        if (inner >= 0)
            empty(inner);
        (void)unlinkat(folder, item->d_name, inner >= 0 ? AT_REMOVEDIR : 0);
    }
    (void)closedir(listing);
}

void scratch_remove(int base, const char *name)
{
    const int folder = io_open(base, name, FOLDER_FLAGS, 0);

    if (folder < 0)
        return;
    empty(folder);
    (void)unlinkat(base, name, AT_REMOVEDIR);
}

void scratch_clean(int base)
{
    const int copy = io_open(base, ".", FOLDER_FLAGS, 0);
    DIR *listing = copy < 0 ? NULL : fdopendir(copy);
    const struct dirent *item;

    if (listing == NULL) {
        if (copy >= 0)
            (void)close(copy);
        return;
    }
    while ((item = readdir(listing)) != NULL) {
        struct stat status;
        if (strncmp(item->d_name, PREFIX, strlen(PREFIX)) != 0)
            continue;
        const int folder = io_open(base, item->d_name, FOLDER_FLAGS, 0);
        if (folder < 0)
            continue;
        if (fstat(folder, &status) == 0 && status.st_uid == geteuid() &&
            flock(folder, LOCK_EX | LOCK_NB) == 0)
            scratch_remove(base, item->d_name);
        (void)close(folder);
    }
    (void)closedir(listing);
}

/* Whether `name` is that of another version of the plugin whose entry is `entry`: they
 * differ in the digits of the payload's hash at the end, and only there. */
static bool is_sibling(const char *name, const char *entry)
{
    const size_t size = strlen(entry);

    return size > ENTRY_DIGITS && strlen(name) == size && strcmp(name, entry) != 0 &&
           strncmp(name, entry, size - ENTRY_DIGITS) == 0 &&
           strspn(name + size - ENTRY_DIGITS, "0123456789abcdef") == ENTRY_DIGITS;
}

void entries_clean(int base, const char *entry)
{
    const int copy = io_open(base, ".", FOLDER_FLAGS, 0);
    DIR *listing = copy < 0 ? NULL : fdopendir(copy);
    const struct dirent *item;

    if (listing == NULL) {
        if (copy >= 0)
            (void)close(copy);
        return;
    }
    while ((item = readdir(listing)) != NULL) {
        char name[SCRATCH_NAME_SIZE];
        struct stat status, now;
        if (!is_sibling(item->d_name, entry))
            continue;
        const int folder = io_open(base, item->d_name, FOLDER_FLAGS, 0);
        if (folder < 0)
            continue;
        /* Renamed under the lock: a process that waits for the entry then sees that it is
         * gone, and whoever looks later does not find half of it. */
        scratch_name(name);
        if (fstat(folder, &status) == 0 && status.st_uid == geteuid() &&
            flock(folder, LOCK_EX | LOCK_NB) == 0 &&
            fstatat(base, item->d_name, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
            now.st_ino == status.st_ino && now.st_dev == status.st_dev &&
            renameat(base, item->d_name, base, name) == 0)
            scratch_remove(base, name);
        (void)close(folder);
    }
    (void)closedir(listing);
}
