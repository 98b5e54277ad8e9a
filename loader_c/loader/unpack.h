/* SPDX-License-Identifier: Apache-2.0
 *
 * Payload to folder, and whether a folder holds the payload.
 */
#ifndef FALCOPY_LOADER_UNPACK_H
#define FALCOPY_LOADER_UNPACK_H

#include "zip.h"

enum unpack_result {
    UNPACK_DONE,
    UNPACK_NO_ROOM,    /* writing failed: another place may do */
    UNPACK_BAD_PAYLOAD /* reading failed: no place will do */
};

/* Writes all entries below the folder `root` (empty, the caller's own), files
 * with mode 0600 or, if executable, 0700. `message` says what failed. */
enum unpack_result unpack(const struct zip *zip, int root, struct message *message);

/* True if every entry is there with its size. A crash of the machine or a cleaner
 * of temporary folders may have taken some since they were written. */
bool unpack_is_whole(const struct zip *zip, int root);

#endif
