/* SPDX-License-Identifier: Apache-2.0 */
#include "facts.h"

#include "image.h"

#define STRING_FACT(name, which)                                                                   \
    const char *facts_get_##name(void)                                                             \
    {                                                                                              \
        return image_string(FALCOPY_STRING_##which);                                               \
    }

STRING_FACT(required_api_version, REQUIRED_API_VERSION)
STRING_FACT(version, VERSION)
STRING_FACT(name, NAME)
STRING_FACT(description, DESCRIPTION)
STRING_FACT(contact, CONTACT)
STRING_FACT(event_source, EVENT_SOURCE)
STRING_FACT(fields, FIELDS)
STRING_FACT(extract_event_sources, EXTRACT_EVENT_SOURCES)
STRING_FACT(parse_event_sources, PARSE_EVENT_SOURCES)
STRING_FACT(async_event_sources, ASYNC_EVENT_SOURCES)
STRING_FACT(async_events, ASYNC_EVENTS)

const char *facts_get_required_event_schema_version(ss_plugin_t *s)
{
    (void)s;
    return image_string(FALCOPY_STRING_REQUIRED_EVENT_SCHEMA_VERSION);
}

uint32_t facts_get_id(void)
{
    return image()->id;
}

const char *facts_get_init_schema(ss_plugin_schema_type *schema_type)
{
    const char *schema = image_string(FALCOPY_STRING_INIT_SCHEMA);

    if (schema_type != NULL)
        *schema_type = schema[0] != '\0' ? SS_PLUGIN_SCHEMA_JSON : SS_PLUGIN_SCHEMA_NONE;
    return schema;
}

static uint16_t *types(const struct falcopy_types *which, uint32_t *numtypes)
{
    uint32_t ignored;

    return image_types(which, numtypes != NULL ? numtypes : &ignored);
}

uint16_t *facts_get_extract_event_types(uint32_t *numtypes, ss_plugin_t *s)
{
    (void)s;
    return types(&image()->extract_event_types, numtypes);
}

uint16_t *facts_get_parse_event_types(uint32_t *numtypes, ss_plugin_t *s)
{
    (void)s;
    return types(&image()->parse_event_types, numtypes);
}
