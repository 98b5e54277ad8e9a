/* SPDX-License-Identifier: Apache-2.0
 *
 * From this file to a running interpreter.
 */
#ifndef FALCOPY_LOADER_BOOT_H
#define FALCOPY_LOADER_BOOT_H

#include "falcopy_bridge.h"
#include "message.h"

/* The bridge's entries: the first call that succeeds unpacks the payload, loads
 * the bridge and starts Python; later ones return the same table. Any thread.
 * NULL with `message` set on failure, which the next call tries again. */
const struct falcopy_bridge *boot(struct message *message);

#endif
