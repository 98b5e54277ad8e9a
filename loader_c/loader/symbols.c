/* SPDX-License-Identifier: Apache-2.0
 *
 * The exports, in the order of plugin_api.h. Hosts tell a plugin's capabilities
 * from the symbols it has, so the optional ones are GNU indirect functions: a
 * resolver that returns NULL makes dlsym() return NULL.
 */
#include "facts.h"
#include "forward.h"
#include "image.h"

#define EXPORT __attribute__((visibility("default")))

/* The dynamic linker holds its lock while a resolver runs, and a sanitizer may not
 * be ready yet: it only reads the image. */
#define RESOLVER __attribute__((no_sanitize("address", "undefined")))

#define OPTIONAL(BIT, half, name)                                                                  \
    RESOLVER static __typeof__(half##_##name) *choose_##name(void)                                 \
    {                                                                                              \
        return image_exports(FALCOPY_EXPORT_##BIT) ? half##_##name : NULL;                         \
    }                                                                                              \
    EXPORT extern __typeof__(half##_##name) plugin_##name __attribute__((ifunc("choose_" #name)));

/* Never read: it makes the compiler compare our functions with the API's types. */
__attribute__((unused)) static const plugin_api signatures = {
    .get_required_api_version = facts_get_required_api_version,
    .get_init_schema = facts_get_init_schema,
    .init = forward_init,
    .destroy = forward_destroy,
    .get_last_error = forward_get_last_error,
    .get_name = facts_get_name,
    .get_description = facts_get_description,
    .get_contact = facts_get_contact,
    .get_version = facts_get_version,
    .get_id = facts_get_id,
    .get_event_source = facts_get_event_source,
    .open = forward_open,
    .close = forward_close,
    .list_open_params = forward_list_open_params,
    .get_progress = forward_get_progress,
    .event_to_string = forward_event_to_string,
    .next_batch = forward_next_batch,
    .get_extract_event_types = facts_get_extract_event_types,
    .get_extract_event_sources = facts_get_extract_event_sources,
    .get_fields = facts_get_fields,
    .extract_fields = forward_extract_fields,
    .get_parse_event_types = facts_get_parse_event_types,
    .get_parse_event_sources = facts_get_parse_event_sources,
    .parse_event = forward_parse_event,
    .get_async_event_sources = facts_get_async_event_sources,
    .get_async_events = facts_get_async_events,
    .set_async_event_handler = forward_set_async_event_handler,
    .dump_state = forward_dump_state,
    .set_config = forward_set_config,
    .get_metrics = forward_get_metrics,
    .capture_open = forward_capture_open,
    .capture_close = forward_capture_close,
    .get_required_event_schema_version = facts_get_required_event_schema_version,
};

/* ---- required of every plugin ---- */

EXPORT const char *plugin_get_required_api_version(void)
{
    return facts_get_required_api_version();
}

EXPORT ss_plugin_t *plugin_init(const ss_plugin_init_input *in, ss_plugin_rc *rc)
{
    return forward_init(in, rc);
}

EXPORT void plugin_destroy(ss_plugin_t *s)
{
    forward_destroy(s);
}

EXPORT const char *plugin_get_last_error(ss_plugin_t *s)
{
    return forward_get_last_error(s);
}

EXPORT const char *plugin_get_name(void)
{
    return facts_get_name();
}

EXPORT const char *plugin_get_description(void)
{
    return facts_get_description();
}

EXPORT const char *plugin_get_contact(void)
{
    return facts_get_contact();
}

EXPORT const char *plugin_get_version(void)
{
    return facts_get_version();
}

/* ---- there or not, as the image says ---- */

OPTIONAL(GET_INIT_SCHEMA, facts, get_init_schema)
OPTIONAL(GET_ID, facts, get_id)
OPTIONAL(GET_EVENT_SOURCE, facts, get_event_source)
OPTIONAL(OPEN, forward, open)
OPTIONAL(CLOSE, forward, close)
OPTIONAL(LIST_OPEN_PARAMS, forward, list_open_params)
OPTIONAL(GET_PROGRESS, forward, get_progress)
OPTIONAL(EVENT_TO_STRING, forward, event_to_string)
OPTIONAL(NEXT_BATCH, forward, next_batch)
OPTIONAL(GET_EXTRACT_EVENT_TYPES, facts, get_extract_event_types)
OPTIONAL(GET_EXTRACT_EVENT_SOURCES, facts, get_extract_event_sources)
OPTIONAL(GET_FIELDS, facts, get_fields)
OPTIONAL(EXTRACT_FIELDS, forward, extract_fields)
OPTIONAL(GET_PARSE_EVENT_TYPES, facts, get_parse_event_types)
OPTIONAL(GET_PARSE_EVENT_SOURCES, facts, get_parse_event_sources)
OPTIONAL(PARSE_EVENT, forward, parse_event)
OPTIONAL(GET_ASYNC_EVENT_SOURCES, facts, get_async_event_sources)
OPTIONAL(GET_ASYNC_EVENTS, facts, get_async_events)
OPTIONAL(SET_ASYNC_EVENT_HANDLER, forward, set_async_event_handler)
OPTIONAL(DUMP_STATE, forward, dump_state)
OPTIONAL(SET_CONFIG, forward, set_config)
OPTIONAL(GET_METRICS, forward, get_metrics)
OPTIONAL(CAPTURE_OPEN, forward, capture_open)
OPTIONAL(CAPTURE_CLOSE, forward, capture_close)
OPTIONAL(GET_REQUIRED_EVENT_SCHEMA_VERSION, facts, get_required_event_schema_version)
