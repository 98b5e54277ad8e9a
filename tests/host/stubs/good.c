/* A well-behaved plugin: a source of numbered lines and fields of every type. Also the
 * yardstick of the benchmarks: what the same call costs without Python.
 *
 * Open parameters: how many events ("10"), "forever", or "block" (next_batch never returns).
 * Payload: "<number> <prefix> beta gamma". */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "falcopy_abi.h"

#define EXPORT __attribute__((visibility("default")))
#define BATCH 128
#define EVENT_SIZE 256
#define WORDS 8

struct state {
    char error[256];
    char prefix[64];
    char string[2048];
    uint64_t calls;
    ss_plugin_metric metrics[2];
    /* results of the last extract_fields */
    char text[4096];
    size_t used;
    const char *strings[WORDS];
    uint64_t number;
    ss_plugin_bool flag;
    uint8_t address[16];
    ss_plugin_byte_buffer buffer;
    uint32_t start[WORDS], length[WORDS];
};

struct instance {
    uint64_t limit, sent;
    int block;
    ss_plugin_event *list[BATCH];
    _Alignas(8) char memory[BATCH][EVENT_SIZE];
};

EXPORT const char *plugin_get_required_api_version(void) { return "3.12.0"; }
EXPORT const char *plugin_get_name(void) { return "good-stub"; }
EXPORT const char *plugin_get_version(void) { return "1.2.3"; }
EXPORT const char *plugin_get_description(void) { return "A well-behaved plugin in C"; }
EXPORT const char *plugin_get_contact(void) { return "https://example.org/stub"; }
EXPORT uint32_t plugin_get_id(void) { return 999; }
EXPORT const char *plugin_get_event_source(void) { return "stub"; }

EXPORT const char *plugin_get_init_schema(ss_plugin_schema_type *type) {
    *type = SS_PLUGIN_SCHEMA_JSON;
    return "{\"type\":\"object\",\"properties\":{"
           "\"prefix\":{\"type\":\"string\"},\"token\":{\"type\":\"string\",\"minLength\":4}},"
           "\"additionalProperties\":false}";
}

EXPORT ss_plugin_t *plugin_init(const ss_plugin_init_input *in, ss_plugin_rc *rc) {
    struct state *s = calloc(1, sizeof(*s));
    *rc = SS_PLUGIN_SUCCESS;
    snprintf(s->prefix, sizeof(s->prefix), "alpha");
    const char *found = strstr(in->config, "\"prefix\": \"");
    if (found) sscanf(found + 11, "%63[^\"]", s->prefix);
    in->log_fn(in->owner, NULL, "initialised", SS_PLUGIN_LOG_SEV_INFO);
    in->log_fn(in->owner, "part", "in detail", SS_PLUGIN_LOG_SEV_DEBUG);
    if (!in->tables) { /* it extracts, so it must have tables */
        *rc = SS_PLUGIN_FAILURE;
        snprintf(s->error, sizeof(s->error), "no tables");
    }
    return s;
}

EXPORT void plugin_destroy(ss_plugin_t *p) { free(p); }

EXPORT const char *plugin_get_last_error(ss_plugin_t *p) { return ((struct state *)p)->error; }

EXPORT ss_plugin_rc plugin_set_config(ss_plugin_t *p, const ss_plugin_set_config_input *in) {
    struct state *s = p;
    const char *found = strstr(in->config, "\"prefix\": \"");
    if (!found) {
        snprintf(s->error, sizeof(s->error), "a new configuration needs a prefix");
        return SS_PLUGIN_FAILURE;
    }
    sscanf(found + 11, "%63[^\"]", s->prefix);
    return SS_PLUGIN_SUCCESS;
}

EXPORT const char *plugin_list_open_params(ss_plugin_t *p, ss_plugin_rc *rc) {
    (void)p;
    *rc = SS_PLUGIN_SUCCESS;
    return "[{\"value\":\"10\",\"desc\":\"ten events\"},{\"value\":\"forever\"}]";
}

EXPORT ss_instance_t *plugin_open(ss_plugin_t *p, const char *params, ss_plugin_rc *rc) {
    struct state *s = p;
    struct instance *h = calloc(1, sizeof(*h));
    *rc = SS_PLUGIN_SUCCESS;
    h->limit = 10;
    if (strcmp(params, "forever") == 0)
        h->limit = UINT64_MAX;
    else if (strcmp(params, "block") == 0)
        h->block = 1;
    else if (*params && sscanf(params, "%" SCNu64, &h->limit) != 1) {
        snprintf(s->error, sizeof(s->error), "open parameters '%s' are no number", params);
        *rc = SS_PLUGIN_FAILURE;
        free(h);
        return NULL;
    }
    for (int i = 0; i < BATCH; i++) h->list[i] = (ss_plugin_event *)h->memory[i];
    return h;
}

EXPORT void plugin_close(ss_plugin_t *p, ss_instance_t *h) {
    (void)p;
    free(h);
}

EXPORT const char *plugin_get_progress(ss_plugin_t *p, ss_instance_t *i, uint32_t *pct) {
    struct state *s = p;
    struct instance *h = i;
    *pct = h->limit == UINT64_MAX ? 0 : (uint32_t)(10000 * h->sent / h->limit);
    snprintf(s->string, sizeof(s->string), "%" PRIu64 " sent", h->sent);
    return s->string;
}

EXPORT ss_plugin_rc plugin_next_batch(ss_plugin_t *p, ss_instance_t *i, uint32_t *nevts,
                                      ss_plugin_event ***evts) {
    struct state *s = p;
    struct instance *h = i;
    while (h->block) pause();
    uint32_t n = 0;
    for (; n < BATCH && h->sent < h->limit; n++) {
        char *data = h->memory[n] + PLUGIN_EVENT_PAYLOAD_OFFSET;
        uint32_t size = (uint32_t)snprintf(data, EVENT_SIZE - PLUGIN_EVENT_PAYLOAD_OFFSET,
                                           "%" PRIu64 " %s beta gamma", ++h->sent, s->prefix);
        ss_plugin_event *e = h->list[n];
        uint32_t lengths[3] = {4, size, 0}; /* and the plugin id: the host's to write */
        e->ts = UINT64_MAX;
        e->tid = UINT64_MAX;
        e->type = PPME_PLUGINEVENT_E;
        e->nparams = 2;
        e->len = PLUGIN_EVENT_PAYLOAD_OFFSET + size;
        memcpy((char *)e + sizeof(*e), lengths, sizeof(lengths));
    }
    *nevts = n;
    *evts = h->list;
    return h->sent == h->limit ? SS_PLUGIN_EOF : SS_PLUGIN_SUCCESS;
}

static const char *payload(const ss_plugin_event *e, uint32_t *size) {
    *size = e->len - PLUGIN_EVENT_PAYLOAD_OFFSET;
    return (const char *)e + PLUGIN_EVENT_PAYLOAD_OFFSET;
}

EXPORT const char *plugin_event_to_string(ss_plugin_t *p, const ss_plugin_event_input *in) {
    struct state *s = p;
    uint32_t size;
    const char *data = payload(in->evt, &size);
    if (size && data[0] == '!') return ""; /* so that a host shows its own text */
    snprintf(s->string, sizeof(s->string), "line: %.*s", (int)size, data);
    return s->string;
}

EXPORT ss_plugin_metric *plugin_get_metrics(ss_plugin_t *p, uint32_t *n) {
    struct state *s = p;
    s->metrics[0] = (ss_plugin_metric){.name = "calls",
                                       .type = SS_PLUGIN_METRIC_TYPE_MONOTONIC,
                                       .value.u64 = s->calls,
                                       .value_type = SS_PLUGIN_METRIC_VALUE_TYPE_U64};
    s->metrics[1] = (ss_plugin_metric){.name = "load",
                                       .type = SS_PLUGIN_METRIC_TYPE_NON_MONOTONIC,
                                       .value.d = -0.5,
                                       .value_type = SS_PLUGIN_METRIC_VALUE_TYPE_D};
    *n = 2;
    return s->metrics;
}

EXPORT const char *plugin_get_extract_event_sources(void) { return "[\"stub\"]"; }

EXPORT uint16_t *plugin_get_extract_event_types(uint32_t *n, ss_plugin_t *p) {
    static uint16_t types[] = {PPME_PLUGINEVENT_E};
    (void)p;
    *n = 1;
    return types;
}

enum field { NUM, TEXT, WORD_LIST, PARAM, AT, EITHER, IP, IP6, NET, FLAG, WHEN, TOOK, NONE };

EXPORT const char *plugin_get_fields(void) {
    return "[{\"type\":\"uint64\",\"name\":\"stub.num\",\"desc\":\"number\",\"addOutput\":true},"
           "{\"type\":\"string\",\"name\":\"stub.text\",\"desc\":\"payload\"},"
           "{\"type\":\"string\",\"name\":\"stub.words\",\"desc\":\"words\",\"isList\":true},"
           "{\"type\":\"string\",\"name\":\"stub.param\",\"desc\":\"by key\","
           "\"arg\":{\"isRequired\":true,\"isKey\":true}},"
           "{\"type\":\"string\",\"name\":\"stub.at\",\"desc\":\"a word\","
           "\"arg\":{\"isRequired\":true,\"isIndex\":true}},"
           "{\"type\":\"string\",\"name\":\"stub.either\",\"desc\":\"key or index\","
           "\"arg\":{\"isIndex\":true,\"isKey\":true}},"
           "{\"type\":\"ipaddr\",\"name\":\"stub.ip\",\"desc\":\"IPv4\"},"
           "{\"type\":\"ipaddr\",\"name\":\"stub.ip6\",\"desc\":\"IPv6\"},"
           "{\"type\":\"ipnet\",\"name\":\"stub.net\",\"desc\":\"network\"},"
           "{\"type\":\"bool\",\"name\":\"stub.odd\",\"desc\":\"odd\"},"
           "{\"type\":\"abstime\",\"name\":\"stub.when\",\"desc\":\"time\"},"
           "{\"type\":\"reltime\",\"name\":\"stub.took\",\"desc\":\"span\"},"
           "{\"type\":\"string\",\"name\":\"stub.none\",\"desc\":\"never\","
           "\"properties\":[\"hidden\"]}]";
}

static const char *keep(struct state *s, const char *text, size_t size) {
    if (size >= sizeof(s->text) - s->used) size = sizeof(s->text) - s->used - 1;
    char *at = s->text + s->used;
    memcpy(at, text, size);
    at[size] = 0;
    s->used += size + 1;
    return at;
}

/* The words after the number: where each begins in the payload, and its length. */
static unsigned split(const char *data, uint32_t size, uint32_t *start, uint32_t *length) {
    unsigned n = 0;
    uint32_t i = 0;
    while (i < size && data[i] != ' ') i++;
    while (i < size && n < WORDS) {
        start[n] = ++i;
        while (i < size && data[i] != ' ') i++;
        length[n] = i - start[n];
        n++;
    }
    return n;
}

static void extract_one(struct state *s, const ss_plugin_event_input *in,
                        ss_plugin_extract_field *f) {
    uint32_t size, start[WORDS], length[WORDS];
    const char *data = payload(in->evt, &size);
    char built[256];
    f->res_len = 1;
    f->res.str = s->strings;
    s->number = strtoull(data, NULL, 10);
    memset(s->start, 0, sizeof(s->start));
    memset(s->length, 0, sizeof(s->length));
    switch ((enum field)f->field_id) {
    case NUM:
        f->res.u64 = &s->number;
        break;
    case TEXT:
        s->strings[0] = keep(s, data, size);
        s->start[0] = PLUGIN_EVENT_PAYLOAD_OFFSET;
        s->length[0] = size;
        break;
    case WORD_LIST:
        f->res_len = split(data, size, start, length);
        for (unsigned i = 0; i < f->res_len; i++) {
            s->strings[i] = keep(s, data + start[i], length[i]);
            s->start[i] = PLUGIN_EVENT_PAYLOAD_OFFSET + start[i];
            s->length[i] = length[i];
        }
        break;
    case PARAM:
        snprintf(built, sizeof(built), "<%s>", f->arg_key);
        s->strings[0] = keep(s, built, strlen(built));
        break;
    case AT:
        f->res_len = f->arg_index < split(data, size, start, length);
        if (f->res_len)
            s->strings[0] = keep(s, data + start[f->arg_index], length[f->arg_index]);
        break;
    case EITHER:
        snprintf(built, sizeof(built), "%u %s %" PRIu64, f->arg_present,
                 f->arg_key ? f->arg_key : "-", f->arg_index);
        s->strings[0] = keep(s, built, strlen(built));
        break;
    case IP:
    case IP6:
    case NET:
        memset(s->address, 0, 16);
        s->buffer.len = f->field_id == IP6 ? 16 : 4;
        s->buffer.ptr = s->address;
        s->address[0] = f->field_id == IP6 ? 0xfe : 10;
        s->address[s->buffer.len - 1] = f->field_id == NET ? 0 : (uint8_t)s->number;
        f->res.buf = &s->buffer;
        break;
    case FLAG:
        s->flag = s->number & 1;
        f->res.boolean = &s->flag;
        break;
    case WHEN:
        s->number = in->evt->ts;
        f->res.u64 = &s->number;
        break;
    case TOOK:
        s->number *= 1000;
        f->res.u64 = &s->number;
        break;
    case NONE:
        f->res_len = 0;
        break;
    }
}

EXPORT ss_plugin_rc plugin_extract_fields(ss_plugin_t *p, const ss_plugin_event_input *in,
                                          const ss_plugin_field_extract_input *ask) {
    struct state *s = p;
    s->calls++;
    s->used = 0;
    for (uint32_t i = 0; i < ask->num_fields; i++) extract_one(s, in, &ask->fields[i]);
    if (ask->value_offsets) {
        ask->value_offsets->start = s->start;
        ask->value_offsets->length = s->length;
    }
    return SS_PLUGIN_SUCCESS;
}
