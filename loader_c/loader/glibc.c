/* SPDX-License-Identifier: Apache-2.0 */
#include "glibc.h"

#include <gnu/libc-version.h>
#include <stdio.h>

bool glibc_suffices(const char *path, const char *needed, struct message *message)
{
    const char *host = gnu_get_libc_version();
    unsigned needed_major, needed_minor, host_major, host_minor;

    /* Without a floor in the image the dynamic linker is the judge. */
    if (sscanf(needed, "%u.%u", &needed_major, &needed_minor) != 2 ||
        sscanf(host, "%u.%u", &host_major, &host_minor) != 2)
        return true;
    if (host_major > needed_major || (host_major == needed_major && host_minor >= needed_minor))
        return true;
    return message_set(message,
                       "%s needs glibc %s or newer, and this host has %s; run falcopy build with "
                       "a Python that is built for an older distribution",
                       path, needed, host);
}
