/* SPDX-License-Identifier: Apache-2.0 */
#include "cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "io.h"
#include "tree.h"
#include "unpack.h"

/* Written last: a folder without it is not complete. Holds the payload's sha256. */
#define MARKER ".falcopy-complete"
#define SHA256_SIZE 64u
/* How often another process may be faster before we give up. */
#define TRIES 5

enum verdict { USABLE, UNUSABLE, HOPELESS /* the payload itself is bad */ };

enum found {
    FOUND_COMPLETE,
    FOUND_INCOMPLETE,
    FOUND_NOTHING,
    FOUND_FOREIGN /* not to be touched; the message says why */
};

struct place {
    const char *name; /* for the user */
    const char *path; /* NULL: not set */
    bool owner_matters;
};

struct search {
    const struct zip *zip;
    const char *entry;
    const char *sha256;
    int base;
    struct message *reason;
};

static bool has_marker(const struct search *search, int folder)
{
    char text[SHA256_SIZE + 1];
    const int file = io_open(folder, MARKER, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);

    if (file < 0)
        return false;
    const ssize_t size = io_read_at(file, text, sizeof(text), 0);
    (void)close(file);
    return size == (ssize_t)SHA256_SIZE && memcmp(text, search->sha256, SHA256_SIZE) == 0;
}

/* Looks at the cache entry, following no link. A folder that is not the caller's
 * own, or that others can write to, may hold anybody's code: it is refused. */
static enum found look(const struct search *search, struct stat *status)
{
    const int folder =
        io_open(search->base, search->entry, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
    enum found found = FOUND_FOREIGN;

    memset(status, 0, sizeof(*status));
    if (folder < 0) {
        if (errno == ENOENT)
            return FOUND_NOTHING;
        if (errno == ENOTDIR || errno == ELOOP)
            (void)message_set(search->reason, "%s there is a link or a file, not a folder",
                              search->entry);
        else
            (void)message_set(search->reason, "cannot open %s there: %m", search->entry);
        return FOUND_FOREIGN;
    }
    if (fstat(folder, status) != 0)
        (void)message_set(search->reason, "cannot examine %s there: %m", search->entry);
    else if (status->st_uid != geteuid())
        (void)message_set(search->reason, "%s there belongs to uid %ld, not to uid %ld",
                          search->entry, (long)status->st_uid, (long)geteuid());
    else if ((status->st_mode & (S_IWGRP | S_IWOTH)) != 0)
        (void)message_set(search->reason, "%s there can be written to by others (mode %03o)",
                          search->entry, (unsigned)status->st_mode & 0777u);
    else
        found = has_marker(search, folder) && unpack_is_whole(search->zip, folder)
                    ? FOUND_COMPLETE
                    : FOUND_INCOMPLETE;
    (void)close(folder);
    return found;
}

/* Takes an incomplete entry (`status`) out of the way. Another process may have
 * replaced it since we looked; that one is left alone. */
static enum verdict set_aside(const struct search *search, const struct stat *status)
{
    char name[SCRATCH_NAME_SIZE];
    struct stat now;

    if (fstatat(search->base, search->entry, &now, AT_SYMLINK_NOFOLLOW) != 0 ||
        now.st_ino != status->st_ino || now.st_dev != status->st_dev)
        return USABLE;
    scratch_name(name);
    if (renameat(search->base, search->entry, search->base, name) != 0) {
        if (errno == ENOENT)
            return USABLE;
        (void)message_set(search->reason, "%s there is incomplete and cannot be replaced: %m",
                          search->entry);
        return UNUSABLE;
    }
    scratch_remove(search->base, name);
    return USABLE;
}

static enum verdict write_marker(const struct search *search, int folder)
{
    const int file = io_open(folder, MARKER, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);

    if (file >= 0) {
        const bool written = io_write(file, search->sha256, SHA256_SIZE);
        if (close(file) == 0 && written)
            return USABLE;
    }
    (void)message_set(search->reason, "cannot write %s: %m", MARKER);
    return UNUSABLE;
}

/* Keeps the entry from being cleaned away for as long as this process lives: a shared
 * lock on its folder, whose descriptor is never closed. False: the entry was replaced
 * or removed since we looked. Where the file system has no locks nobody cleans. */
static bool hold(const struct search *search)
{
    static int held = -1; /* one at a time: boot() holds a lock */
    struct stat ours, now;
    const int folder =
        io_open(search->base, search->entry, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);

    if (folder < 0)
        return false;
    while (flock(folder, LOCK_SH) != 0 && errno == EINTR) {
    }
    if (fstat(folder, &ours) == 0 &&
        fstatat(search->base, search->entry, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
        ours.st_ino == now.st_ino && ours.st_dev == now.st_dev) {
        /* After a start that failed the next one may find another entry. */
        if (held >= 0)
            (void)close(held);
        held = folder;
        return true;
    }
    (void)close(folder);
    return false;
}

/* Unpacks beside the entry and renames it into place. Losing the race for the
 * name is no failure: the caller looks again. */
static enum verdict build(const struct search *search)
{
    char name[SCRATCH_NAME_SIZE];
    enum verdict verdict = UNUSABLE;

    scratch_clean(search->base);
    const int folder = scratch_make(search->base, name);
    if (folder < 0) {
        (void)message_set(search->reason, "cannot make a folder in it: %m");
        return UNUSABLE;
    }
    switch (unpack(search->zip, folder, search->reason)) {
    case UNPACK_DONE:
        verdict = write_marker(search, folder);
        break;
    case UNPACK_NO_ROOM:
        break;
    case UNPACK_BAD_PAYLOAD:
        verdict = HOPELESS;
        break;
    }
    if (verdict == USABLE && renameat(search->base, name, search->base, search->entry) == 0) {
        (void)close(folder);
        return USABLE;
    }
    if (verdict == USABLE && errno != EEXIST && errno != ENOTEMPTY && errno != ENOTDIR) {
        (void)message_set(search->reason, "cannot rename a folder to %s: %m", search->entry);
        verdict = UNUSABLE;
    }
    scratch_remove(search->base, name);
    (void)close(folder);
    return verdict;
}

static enum verdict find_in(const struct search *search)
{
    for (int i = 0; i < TRIES; i++) {
        struct stat status;
        enum verdict verdict = USABLE;
        switch (look(search, &status)) {
        case FOUND_COMPLETE:
            if (!hold(search))
                continue;
            entries_clean(search->base, search->entry);
            return USABLE;
        case FOUND_FOREIGN:
            return UNUSABLE;
        case FOUND_INCOMPLETE:
            verdict = set_aside(search, &status);
            if (verdict != USABLE)
                return verdict;
            /* fall through */
        case FOUND_NOTHING:
            verdict = build(search);
            if (verdict != USABLE)
                return verdict;
        }
    }
    (void)message_set(search->reason, "%s there keeps being removed or damaged", search->entry);
    return UNUSABLE;
}

/* Opens the base folder, making it if only it is missing. The checks keep another
 * user from swapping the entry between our look at it and its use. Folders that
 * all may write to are not refused: containers commonly have such volumes. */
static int open_base(const struct place *place, struct message *reason)
{
    struct stat status;
    struct statvfs volume;

    if (place->path[0] != '/') {
        (void)message_set(reason, "is not an absolute path");
        return -1;
    }
    int base = io_open(AT_FDCWD, place->path, O_RDONLY | O_DIRECTORY, 0);
    if (base < 0 && errno == ENOENT) {
        if (mkdir(place->path, 0755) != 0 && errno != EEXIST) {
            (void)message_set(reason, "cannot make it: %m");
            return -1;
        }
        base = io_open(AT_FDCWD, place->path, O_RDONLY | O_DIRECTORY, 0);
    }
    if (base < 0 || fstat(base, &status) != 0 || fstatvfs(base, &volume) != 0)
        (void)message_set(reason, "cannot open it: %m");
    else if (place->owner_matters && status.st_uid != geteuid() && status.st_uid != 0)
        (void)message_set(reason, "belongs to uid %ld, not to uid %ld or root",
                          (long)status.st_uid, (long)geteuid());
    else if ((volume.f_flag & ST_NOEXEC) != 0)
        (void)message_set(reason, "is mounted noexec");
    else
        return base;
    if (base >= 0)
        (void)close(base);
    return -1;
}

static enum verdict try_place(struct search *search, const struct place *place,
                              char root[PATH_MAX])
{
    enum verdict verdict = UNUSABLE;
    const int size = snprintf(root, PATH_MAX, "%s/%s", place->path, search->entry);

    if (size < 0 || size >= PATH_MAX) {
        (void)message_set(search->reason, "is too long a path");
        return UNUSABLE;
    }
    search->base = open_base(place, search->reason);
    if (search->base >= 0) {
        verdict = find_in(search);
        (void)close(search->base);
    }
    return verdict;
}

static const char *setting(const char *variable)
{
    /* secure_getenv: a set-uid host must not unpack where its caller says. */
    const char *value = secure_getenv(variable);

    return value != NULL && value[0] != '\0' ? value : NULL;
}

bool cache_find(const struct zip *zip, const char *folder, const char *entry, const char *sha256,
                char root[PATH_MAX], struct message *message)
{
    const char *temporary = setting("TMPDIR");
    const struct place places[] = {
        {"$FALCOPY_CACHE_DIR", setting("FALCOPY_CACHE_DIR"), true},
        /* Whoever owns that folder can replace this library: it is as safe as we are. */
        {"the plugin's folder", folder, false},
        {"the system's cache", "/var/cache/falcopy", true},
        {temporary != NULL ? "$TMPDIR" : "the default of $TMPDIR",
         temporary != NULL ? temporary : "/tmp", true},
    };
    struct message reason;
    struct search search = {zip, entry, sha256, -1, &reason};

    (void)message_set(message, "found no folder to unpack the plugin's Python runtime into.");
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        if (places[i].path == NULL) {
            (void)message_add(message, " %s: is not set;", places[i].name);
            continue;
        }
        reason.text[0] = '\0';
        switch (try_place(&search, &places[i], root)) {
        case USABLE:
            message->text[0] = '\0';
            return true;
        case HOPELESS:
            return message_set(message, "%s", reason.text);
        case UNUSABLE:
            (void)message_add(message, " %s %s: %s;", places[i].name, places[i].path,
                              reason.text);
        }
    }
    root[0] = '\0';
    return message_add(message,
                       " set FALCOPY_CACHE_DIR to a folder that uid %ld may write to, on a file "
                       "system that is not mounted noexec",
                       (long)geteuid());
}
