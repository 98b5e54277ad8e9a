/* SPDX-License-Identifier: Apache-2.0 */
#include "image.h"

_Static_assert(FALCOPY_EXPORT_COUNT <= 64, "exports is one 64-bit word");
_Static_assert(sizeof(((struct falcopy_image *)0)->strings) / sizeof(uint32_t) >=
                   FALCOPY_STRING_COUNT,
               "every string has a slot");

/* Not built yet: no optional symbol, every string empty, no payload. */
__attribute__((section(".falcopy"), used, aligned(16))) const struct falcopy_image falcopy_image = {
    .magic = FALCOPY_IMAGE_MAGIC,
};
