/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads what `falcopy build` wrote into this loader (falcopy_image.h). Nothing
 * here trusts an offset: a damaged file gives "" or an empty array, never a
 * read outside the image.
 */
#ifndef FALCOPY_LOADER_IMAGE_H
#define FALCOPY_LOADER_IMAGE_H

#include <stdbool.h>
#include <string.h>

#include "falcopy_image.h"

extern const struct falcopy_image falcopy_image;

/* The image as it is at run time. The empty asm keeps the compiler from folding
 * the values that the object has before the build patches it. */
static inline const struct falcopy_image *image(void)
{
    const struct falcopy_image *patched = &falcopy_image;
    __asm__("" : "+r"(patched));
    return patched;
}

static inline bool image_exports(enum falcopy_export symbol)
{
    return (image()->exports >> symbol) & 1u;
}

static inline const char *image_string(enum falcopy_string which)
{
    const struct falcopy_image *patched = image();
    const uint32_t offset = patched->strings[which];

    if (offset >= sizeof(patched->blob) ||
        memchr(patched->blob + offset, '\0', sizeof(patched->blob) - offset) == NULL)
        return "";
    return patched->blob + offset;
}

/* The API's return type is not const although hosts only read the array; it lies
 * in read-only memory. */
static inline uint16_t *image_types(const struct falcopy_types *types, uint32_t *count)
{
    const struct falcopy_image *patched = image();
    const uint64_t end = (uint64_t)types->offset + 2u * (uint64_t)types->count;

    *count = 0;
    if (types->count == 0 || types->offset % 2 != 0 || end > sizeof(patched->blob))
        return NULL;
    *count = types->count;
    return (uint16_t *)(uintptr_t)(patched->blob + types->offset);
}

#endif
