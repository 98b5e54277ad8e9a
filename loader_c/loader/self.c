/* SPDX-License-Identifier: Apache-2.0 */
#include "self.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io.h"
#include "selfcopy.h"

/* Written by the constructor only, before any other code here can run. */
static struct {
    char path[PATH_MAX];
    struct stat status;
    bool known;
} self;

__attribute__((constructor)) static void remember(void)
{
    Dl_info info;

    /* dlopen("./libx.so") leaves a relative path: resolve it while the working
     * folder is still that of the dlopen(). */
    if (dladdr(&self, &info) != 0 && info.dli_fname != NULL) {
        if (realpath(info.dli_fname, self.path) == NULL) {
            strncpy(self.path, info.dli_fname, sizeof(self.path) - 1);
            self.path[sizeof(self.path) - 1] = '\0';
        }
        self.known = stat(self.path, &self.status) == 0;
    }
    /* Last: what is written above lies in the memory that is copied. */
    selfcopy();
}

const char *self_path(void)
{
    return self.path;
}

void self_folder(char folder[PATH_MAX])
{
    const char *last = strrchr(self.path, '/');
    const size_t size = last == NULL ? 0 : (size_t)(last - self.path);

    memcpy(folder, self.path, size);
    folder[size] = '\0';
    if (size == 0)
        strcpy(folder, last == NULL ? "." : "/");
}

int self_open(uint64_t size, struct message *message)
{
    struct stat status;
    const int fd = io_open(AT_FDCWD, self.path, O_RDONLY, 0);

    if (fd < 0) {
        (void)message_set(message, "cannot open %s: %m; the plugin is read from there when it is "
                                   "first used, so it must still be there", self.path);
        return -1;
    }
    if (fstat(fd, &status) != 0)
        (void)message_set(message, "cannot examine %s: %m", self.path);
    else if (!self.known || status.st_dev != self.status.st_dev ||
             status.st_ino != self.status.st_ino || status.st_size != self.status.st_size ||
             status.st_mtim.tv_sec != self.status.st_mtim.tv_sec ||
             status.st_mtim.tv_nsec != self.status.st_mtim.tv_nsec)
        /* Its payload is another one's now, while the loaded code is the old one's. */
        (void)message_set(message, "%s was changed after the host loaded it; restart the host",
                          self.path);
    else if ((uint64_t)status.st_size < size)
        (void)message_set(message, "%s is truncated: it has %lld bytes and needs %llu; "
                                   "install it again", self.path, (long long)status.st_size,
                          (unsigned long long)size);
    else
        return fd;
    (void)close(fd);
    return -1;
}
