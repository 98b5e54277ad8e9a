/* A source plugin that breaks one rule of the plugin API: the one whose macro is defined. */
#include <stdlib.h>
#include <string.h>

#include "falcopy_abi.h"

#define EXPORT __attribute__((visibility("default")))

static const char *error = "it broke, as asked";
static int live; /* what state pointers point at: nothing is read from it */
static struct {
    ss_plugin_event header;
    char rest[32];
} __attribute__((packed)) event;
static ss_plugin_event *list[1] = {&event.header};

#ifdef API_VERSION
EXPORT const char *plugin_get_required_api_version(void) { return API_VERSION; }
#else
EXPORT const char *plugin_get_required_api_version(void) { return "3.0.0"; }
#endif
EXPORT const char *plugin_get_name(void) { return "hostile-stub"; }
EXPORT const char *plugin_get_description(void) { return "Breaks a rule"; }
EXPORT const char *plugin_get_contact(void) { return "nobody"; }
#ifndef NO_VERSION
EXPORT const char *plugin_get_version(void) { return "0.1.0"; }
#endif
EXPORT const char *plugin_get_last_error(ss_plugin_t *s) {
    (void)s;
    return error;
}
EXPORT void plugin_destroy(ss_plugin_t *s) { (void)s; }

#ifndef NO_ID
EXPORT uint32_t plugin_get_id(void) { return 998; }
#endif
#ifdef NULL_EVENT_SOURCE
EXPORT const char *plugin_get_event_source(void) { return NULL; }
#else
EXPORT const char *plugin_get_event_source(void) { return "hostile"; }
#endif

EXPORT ss_plugin_t *plugin_init(const ss_plugin_init_input *in, ss_plugin_rc *rc) {
    *rc = SS_PLUGIN_SUCCESS;
#ifdef READS_TABLES /* without asking whether there are any */
    if (!in->tables->list_tables) return NULL;
#endif
#ifdef INIT_FAILS
    *rc = SS_PLUGIN_FAILURE;
#endif
#ifdef INIT_FAILS_WITHOUT_STATE
    *rc = SS_PLUGIN_FAILURE;
    return NULL;
#endif
#ifdef INIT_LEAVES_RC
    memset(rc, 0x5A, sizeof(*rc));
#endif
    (void)in;
    return &live;
}

EXPORT ss_instance_t *plugin_open(ss_plugin_t *s, const char *params, ss_plugin_rc *rc) {
    (void)s;
    (void)params;
    *rc = SS_PLUGIN_SUCCESS;
#ifdef OPEN_FAILS
    *rc = SS_PLUGIN_FAILURE;
    return NULL;
#endif
    return &live;
}

#ifndef NO_CLOSE
EXPORT void plugin_close(ss_plugin_t *s, ss_instance_t *h) {
    (void)s;
#ifdef OPEN_FAILS
    error = h ? "closed a handle" : "closed nothing";
#endif
    (void)h;
}
#endif

EXPORT ss_plugin_rc plugin_next_batch(ss_plugin_t *s, ss_instance_t *h, uint32_t *nevts,
                                      ss_plugin_event ***evts) {
    static const uint32_t lengths[2] = {4, 5};
    (void)s;
    (void)h;
    event.header.ts = 17;
    event.header.tid = 1;
    event.header.len = PLUGIN_EVENT_PAYLOAD_OFFSET + 5;
    event.header.type = PPME_PLUGINEVENT_E;
    event.header.nparams = 2;
    memset(event.rest, 0, sizeof(event.rest));
    memcpy(event.rest, lengths, sizeof(lengths));
    memcpy(event.rest + 12, "hello", 5);
#ifdef LEAVES_NEVTS
    return SS_PLUGIN_TIMEOUT;
#endif
#ifdef LEAVES_EVTS
    *nevts = 1;
    return SS_PLUGIN_SUCCESS;
#endif
    *evts = list;
    *nevts = 1;
#ifdef SUCCESS_WITHOUT_EVENTS
    *nevts = 0;
#endif
#ifdef NULL_EVENT
    static ss_plugin_event *none[1];
    *evts = none;
#endif
#ifdef WRONG_LENGTH
    event.header.len = PLUGIN_EVENT_PAYLOAD_OFFSET + 6;
#endif
#ifdef WRONG_TYPE
    event.header.type = 1;
#endif
#ifdef FOREIGN_ID
    event.rest[8] = 7;
#endif
#ifdef FAILS_AFTER_EVENT
    return SS_PLUGIN_FAILURE;
#endif
    return SS_PLUGIN_SUCCESS;
}
