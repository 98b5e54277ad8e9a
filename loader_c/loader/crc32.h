/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FALCOPY_LOADER_CRC32_H
#define FALCOPY_LOADER_CRC32_H

#include <stddef.h>
#include <stdint.h>

/* Tables of the slicing-by-8 form of ZIP's CRC-32 (polynomial 0xEDB88320). */
struct crc32 {
    uint32_t table[8][256];
};

void crc32_prepare(struct crc32 *crc);

/* Continues `value` (0 at the start) over `size` bytes. */
uint32_t crc32_update(const struct crc32 *crc, uint32_t value, const void *data, size_t size);

#endif
