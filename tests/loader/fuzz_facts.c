/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads static facts from damaged images with the loader's own code, under
 * sanitizers: a read outside the image is a report.
 *
 *   fuzz_facts ROUNDS SEED
 *
 * Prints how many strings and how many type arrays were not empty.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "facts.h"
#include "falcopy_image.h"

/* In place of image.c: writable, so that it can change from round to round. */
struct falcopy_image falcopy_image;

static uint64_t state;

static uint32_t number(uint32_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state % below);
}

/* Inside, at the end, or far beyond. */
static uint32_t offset(void)
{
    switch (number(4)) {
    case 0:
        return FALCOPY_IMAGE_BLOB_SIZE - 8 + number(16);
    case 1:
        return UINT32_MAX - number(16);
    default:
        return number(FALCOPY_IMAGE_BLOB_SIZE);
    }
}

static int array(uint16_t *(*function)(uint32_t *, ss_plugin_t *))
{
    uint32_t count = 77;
    volatile uint16_t sum = 0;
    const uint16_t *types = function(&count, NULL);

    if ((types == NULL) != (count == 0))
        abort();
    for (uint32_t i = 0; i < count; i++)
        sum = (uint16_t)(sum + types[i]);
    return count != 0;
}

int main(int argc, char **argv)
{
    long strings = 0, arrays = 0;

    if (argc != 3)
        return 2;
    state = strtoull(argv[2], NULL, 10);
    for (long round = strtol(argv[1], NULL, 10); round > 0; round--) {
        memset(falcopy_image.blob, number(3) ? 'x' : 0, sizeof(falcopy_image.blob));
        falcopy_image.blob[offset() % FALCOPY_IMAGE_BLOB_SIZE] = '\0';
        for (size_t i = 0; i < FALCOPY_STRING_COUNT; i++)
            falcopy_image.strings[i] = offset();
        falcopy_image.extract_event_types = (struct falcopy_types){offset(), offset()};
        falcopy_image.parse_event_types = (struct falcopy_types){offset(), number(8)};

        ss_plugin_schema_type kind = 77;
        const char *all[] = {
            facts_get_required_api_version(), facts_get_version(),
            facts_get_name(), facts_get_description(),
            facts_get_contact(), facts_get_event_source(),
            facts_get_fields(), facts_get_extract_event_sources(),
            facts_get_parse_event_sources(), facts_get_async_event_sources(),
            facts_get_async_events(), facts_get_required_event_schema_version(NULL),
            facts_get_init_schema(&kind),
        };
        for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
            strings += strlen(all[i]) > 0;
        arrays += array(facts_get_extract_event_types) + array(facts_get_parse_event_types);
    }
    printf("%ld %ld\n", strings, arrays);
    return 0;
}
