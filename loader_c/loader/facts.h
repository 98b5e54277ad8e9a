/* SPDX-License-Identifier: Apache-2.0
 *
 * The static half of the plugin API: answers that falcopy build wrote into the
 * image. Hosts ask before init, without a state and from any thread.
 */
#ifndef FALCOPY_LOADER_FACTS_H
#define FALCOPY_LOADER_FACTS_H

#include "falcopy_abi.h"

const char *facts_get_required_api_version(void);
const char *facts_get_version(void);
const char *facts_get_name(void);
const char *facts_get_description(void);
const char *facts_get_contact(void);
const char *facts_get_init_schema(ss_plugin_schema_type *schema_type);
uint32_t facts_get_id(void);
const char *facts_get_event_source(void);
uint16_t *facts_get_extract_event_types(uint32_t *numtypes, ss_plugin_t *s);
const char *facts_get_extract_event_sources(void);
const char *facts_get_fields(void);
uint16_t *facts_get_parse_event_types(uint32_t *numtypes, ss_plugin_t *s);
const char *facts_get_parse_event_sources(void);
const char *facts_get_async_event_sources(void);
const char *facts_get_async_events(void);
const char *facts_get_required_event_schema_version(ss_plugin_t *s);

#endif
