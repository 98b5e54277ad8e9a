/* SPDX-License-Identifier: Apache-2.0
 *
 * Event bytes: the packed header, a length per parameter, the parameters (plugin_types.h;
 * PLUGINEVENT_E and ASYNCEVENT_E of the driver's event table). Nothing is aligned.
 */
#include <stdlib.h>
#include <string.h>

#include "state.h"

enum {
    PLUGIN_EVENT = 322, /* parameters: plugin id, payload */
    ASYNC_EVENT = 402,  /* parameters: plugin id, name, data */
    HEADER = sizeof(ss_plugin_event),
    ASYNC_NAME = 42, /* offset: header, three lengths, plugin id */
};

static unsigned char *put_u32(unsigned char *at, uint32_t number) {
    memcpy(at, &number, sizeof number);
    return at + sizeof number;
}

ss_plugin_event *event_new(struct arena *arena, uint64_t ts, const void *data, uint32_t size) {
    unsigned char *bytes = arena_alloc(arena, PLUGIN_EVENT_PAYLOAD_OFFSET + (size_t)size);
    if (bytes == NULL) return NULL;
    ss_plugin_event header = {.ts = ts,
                              .tid = UINT64_MAX,
                              .len = PLUGIN_EVENT_PAYLOAD_OFFSET + size,
                              .type = PLUGIN_EVENT,
                              .nparams = 2};
    memcpy(bytes, &header, HEADER);
    unsigned char *at = bytes + HEADER;
    at = put_u32(at, sizeof(uint32_t));
    at = put_u32(at, size);
    at = put_u32(at, 0); /* plugin id: the host fills its own in */
    memcpy(at, data, size);
    return (ss_plugin_event *)(void *)bytes;
}

ss_plugin_event *event_new_async(uint64_t ts, const char *name, const void *data, size_t size) {
    size_t name_size = strlen(name) + 1;
    if (size > UINT32_MAX - ASYNC_NAME - name_size) return NULL;
    unsigned char *bytes = malloc(ASYNC_NAME + name_size + size);
    if (bytes == NULL) return NULL;
    ss_plugin_event header = {.ts = ts,
                              .tid = UINT64_MAX,
                              .len = (uint32_t)(ASYNC_NAME + name_size + size),
                              .type = ASYNC_EVENT,
                              .nparams = 3};
    memcpy(bytes, &header, HEADER);
    unsigned char *at = bytes + HEADER;
    at = put_u32(at, sizeof(uint32_t));
    at = put_u32(at, (uint32_t)name_size);
    at = put_u32(at, (uint32_t)size);
    at = put_u32(at, 0);
    memcpy(at, name, name_size);
    if (size > 0) memcpy(at + name_size, data, size);
    return (ss_plugin_event *)(void *)bytes;
}

/*
 * Stratoshark 0.9 (packet-falco-events.c, dissect_falco_events) rebuilds the events of a capture
 * for extraction. For all but three plugins it leaves the parameter lengths and the plugin id in
 * front of the payload and then writes them once more: 12 bytes too many, which a real payload
 * could only have by telling its own length and the same plugin id.
 */
static uint32_t repeated_prefix(const unsigned char *bytes, uint32_t len) {
    enum { PREFIX = PLUGIN_EVENT_PAYLOAD_OFFSET - HEADER };
    if (len < PLUGIN_EVENT_PAYLOAD_OFFSET + PREFIX) return 0;
    uint32_t outer[3], inner[3];
    memcpy(outer, bytes + HEADER, sizeof outer);
    memcpy(inner, bytes + PLUGIN_EVENT_PAYLOAD_OFFSET, sizeof inner);
    bool repeated = inner[0] == sizeof(uint32_t) && inner[1] == outer[1] - PREFIX &&
                    inner[2] == outer[2] && inner[2] != 0;
    return repeated ? PREFIX : 0;
}

const void *event_payload(const ss_plugin_event *event, uint32_t *size) {
    const unsigned char *bytes = (const unsigned char *)event;
    ss_plugin_event header;
    memcpy(&header, bytes, HEADER);
    uint32_t start = HEADER;
    uint32_t name_size = 0;
    if (header.type == PLUGIN_EVENT && header.nparams >= 2) {
        start = PLUGIN_EVENT_PAYLOAD_OFFSET + repeated_prefix(bytes, header.len);
    } else if (header.type == ASYNC_EVENT && header.nparams >= 3 && header.len >= ASYNC_NAME) {
        memcpy(&name_size, bytes + HEADER + sizeof(uint32_t), sizeof name_size);
        start = ASYNC_NAME;
    }
    uint64_t offset = (uint64_t)start + name_size;
    /* A header that lies about its lengths yields an empty payload, never a read beyond it. */
    *size = header.len > offset ? header.len - (uint32_t)offset : 0;
    return bytes + (*size > 0 ? offset : 0);
}
