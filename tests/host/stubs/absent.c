/* Optional entries whose IFUNC resolves to NULL, as in a falcopy bundle: they are not there. */
#include "falcopy_abi.h"

#define EXPORT __attribute__((visibility("default")))

EXPORT const char *plugin_get_required_api_version(void) { return "3.6.0"; }
EXPORT const char *plugin_get_name(void) { return "absent-stub"; }
EXPORT const char *plugin_get_version(void) { return "0.1.0"; }
EXPORT const char *plugin_get_description(void) { return "Exports and does not"; }
EXPORT const char *plugin_get_contact(void) { return "nobody"; }
EXPORT const char *plugin_get_last_error(ss_plugin_t *s) {
    (void)s;
    return "";
}
EXPORT void plugin_destroy(ss_plugin_t *s) { (void)s; }
EXPORT ss_plugin_t *plugin_init(const ss_plugin_init_input *in, ss_plugin_rc *rc) {
    static int state;
    (void)in;
    *rc = SS_PLUGIN_SUCCESS;
    return &state;
}

static ss_plugin_rc parse(ss_plugin_t *s, const ss_plugin_event_input *evt,
                          const ss_plugin_event_parse_input *in) {
    return (void)s, (void)evt, (void)in, SS_PLUGIN_SUCCESS;
}
typedef ss_plugin_rc (*parse_fn)(ss_plugin_t *, const ss_plugin_event_input *,
                                 const ss_plugin_event_parse_input *);
static parse_fn resolve_parse(void) { return parse; }
static parse_fn resolve_none(void) { return 0; }

EXPORT ss_plugin_rc plugin_parse_event(ss_plugin_t *, const ss_plugin_event_input *,
                                       const ss_plugin_event_parse_input *)
    __attribute__((ifunc("resolve_parse")));
EXPORT ss_plugin_rc plugin_extract_fields(ss_plugin_t *, const ss_plugin_event_input *,
                                          const ss_plugin_event_parse_input *)
    __attribute__((ifunc("resolve_none")));
