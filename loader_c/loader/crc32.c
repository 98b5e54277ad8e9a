/* SPDX-License-Identifier: Apache-2.0 */
#include "crc32.h"

#include <string.h>

void crc32_prepare(struct crc32 *crc)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t value = byte;
        for (int bit = 0; bit < 8; bit++)
            value = (value & 1) ? (value >> 1) ^ 0xEDB88320u : value >> 1;
        crc->table[0][byte] = value;
    }
    for (uint32_t byte = 0; byte < 256; byte++)
        for (int slice = 1; slice < 8; slice++) {
            const uint32_t previous = crc->table[slice - 1][byte];
            crc->table[slice][byte] = (previous >> 8) ^ crc->table[0][previous & 0xFF];
        }
}

uint32_t crc32_update(const struct crc32 *crc, uint32_t value, const void *data, size_t size)
{
    const unsigned char *at = data;

    value = ~value;
    /* Eight bytes a step; little-endian, like every platform the loader is built for. */
    for (; size >= 8; size -= 8, at += 8) {
        uint32_t low, high;
        memcpy(&low, at, 4);
        memcpy(&high, at + 4, 4);
        low ^= value;
        value = crc->table[7][low & 0xFF] ^ crc->table[6][(low >> 8) & 0xFF] ^
                crc->table[5][(low >> 16) & 0xFF] ^ crc->table[4][low >> 24] ^
                crc->table[3][high & 0xFF] ^ crc->table[2][(high >> 8) & 0xFF] ^
                crc->table[1][(high >> 16) & 0xFF] ^ crc->table[0][high >> 24];
    }
    for (; size > 0; size--, at++)
        value = (value >> 8) ^ crc->table[0][(value ^ *at) & 0xFF];
    return ~value;
}
