/* SPDX-License-Identifier: Apache-2.0 */
#include "boot.h"

#include <dlfcn.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cache.h"
#include "glibc.h"
#include "image.h"
#include "self.h"
#include "tree.h"
#include "zip.h"

typedef const struct falcopy_bridge *(*boot_function)(const char *root, char *error, size_t size);

/* Of a plugin's name as part of a file name: no "/", nothing a locale decides. */
#define NAME_CHARACTERS "-._0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

/* There is one interpreter a process, whatever the number of plugin states. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const struct falcopy_bridge *running;

/* "falcopy-<plugin name>-<start of the payload's hash>". */
static bool entry_name(char entry[NAME_MAX + 1], struct message *message)
{
    const char *name = image_string(FALCOPY_STRING_NAME);
    const char *sha256 = image()->payload_sha256;
    const bool ok = name[0] != '\0' && name[strspn(name, NAME_CHARACTERS)] == '\0' &&
                    memchr(sha256, '\0', sizeof(image()->payload_sha256)) != NULL &&
                    strlen(sha256) == 64 && strspn(sha256, "0123456789abcdef") == 64;
    const int size =
        snprintf(entry, NAME_MAX + 1, "falcopy-%s-%.*s", name, ENTRY_DIGITS, sha256);
    if (!ok || size < 0 || size > NAME_MAX)
        return message_set(message, "%s is corrupt: its name or checksum is not valid; install it "
                                    "again", self_path());
    return true;
}

static bool find_root(char root[PATH_MAX], struct message *message)
{
    const struct falcopy_image *built = image();
    char folder[PATH_MAX], entry[NAME_MAX + 1], floor[sizeof(built->glibc_floor) + 1];
    struct zip zip;

    if (built->payload_offset == 0)
        return message_set(message, "%s is the bare loader without a plugin; run falcopy build",
                           self_path());
    if (built->payload_size > INT64_MAX - built->payload_offset ||
        built->payload_offset > INT64_MAX)
        return message_set(message, "%s is corrupt: its payload has no end; install it again",
                           self_path());
    (void)snprintf(floor, sizeof(floor), "%.*s", (int)sizeof(built->glibc_floor),
                   built->glibc_floor);
    if (!entry_name(entry, message) || !glibc_suffices(self_path(), floor, message))
        return false;
    const int fd = self_open(built->payload_offset + built->payload_size, message);
    if (fd < 0)
        return false;
    self_folder(folder);
    const bool ok = zip_open(&zip, self_path(), fd, built->payload_offset, built->payload_size,
                             message) &&
                    cache_find(&zip, folder, entry, built->payload_sha256, root, message);
    zip_close(&zip);
    (void)close(fd);
    return ok;
}

static const struct falcopy_bridge *start(struct message *message)
{
    char root[PATH_MAX], path[2 * PATH_MAX], error[2048] = "";
    const char *bridge_path = image_string(FALCOPY_STRING_BRIDGE_PATH);

    if (!find_root(root, message))
        return NULL;
    (void)snprintf(path, sizeof(path), "%s/%s", root, bridge_path);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        const char *reason = dlerror();
        (void)message_set(message, "cannot load the plugin's Python runtime: %s",
                          reason != NULL ? reason : path);
        return NULL;
    }
    /* On failure the library stays: Python may have started in part, and the next
     * try gets the same handle. */
    const boot_function function = (boot_function)dlsym(library, FALCOPY_BRIDGE_BOOT_SYMBOL);
    if (function == NULL) {
        (void)message_set(message, "%s has no %s; install the plugin again", path,
                          FALCOPY_BRIDGE_BOOT_SYMBOL);
        return NULL;
    }
    const struct falcopy_bridge *table = function(root, error, sizeof(error));
    if (table == NULL) {
        error[sizeof(error) - 1] = '\0';
        (void)message_set(message, "cannot start the plugin's Python in %s: %s", root,
                          error[0] != '\0' ? error : "the bridge gives no reason");
        return NULL;
    }
    if (table->version != FALCOPY_BRIDGE_VERSION || table->size < sizeof(*table)) {
        (void)message_set(message, "%s has version %" PRIu32 " (%" PRIu32 " bytes) of the bridge's "
                                   "interface and the loader needs version %u (%zu bytes); build "
                                   "the plugin again", path, table->version, table->size,
                          FALCOPY_BRIDGE_VERSION, sizeof(*table));
        return NULL;
    }
    return table;
}

const struct falcopy_bridge *boot(struct message *message)
{
    (void)pthread_mutex_lock(&lock);
    if (running == NULL)
        running = start(message);
    const struct falcopy_bridge *table = running;
    (void)pthread_mutex_unlock(&lock);
    return table;
}
