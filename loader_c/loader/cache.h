/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the payload is unpacked: once a content hash, by whoever comes first.
 */
#ifndef FALCOPY_LOADER_CACHE_H
#define FALCOPY_LOADER_CACHE_H

#include <limits.h>

#include "zip.h"

/* Finds the unpacked payload, or unpacks it, in the first usable of
 * $FALCOPY_CACHE_DIR, `folder` (of this library), /var/cache/falcopy and $TMPDIR
 * (else /tmp). `entry` is the name of the cache entry, `sha256` its content.
 * On success `root` is its absolute path; else `message` names every place that
 * was tried, with its reason. */
bool cache_find(const struct zip *zip, const char *folder, const char *entry, const char *sha256,
                char root[PATH_MAX], struct message *message);

#endif
