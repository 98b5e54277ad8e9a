/* Parsing, asynchronous events, capture listening and a table of its own, no source.
 * It counts what it sees: the order of calls is told through the log as "call: <entry>". */
#include <pthread.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "falcopy_abi.h"

#define EXPORT __attribute__((visibility("default")))

struct state {
    char error[PLUGIN_MAX_ERRLEN];
    ss_plugin_owner_t *owner;
    ss_plugin_log_fn_t log;
    ss_plugin_async_event_handler_t handler;
    pthread_t thread;
    int running;
    uint64_t parsed, entry;
    ss_plugin_table_t *table;
    ss_plugin_table_field_t *field;
    uint64_t borrowed;
};

static void say(struct state *s, const char *what) {
    char text[300];
    snprintf(text, sizeof(text), "call: %s", what);
    s->log(s->owner, NULL, text, SS_PLUGIN_LOG_SEV_NOTICE);
}

EXPORT const char *plugin_get_required_api_version(void) { return "3.12.0"; }
EXPORT const char *plugin_get_name(void) { return "listener-stub"; }
EXPORT const char *plugin_get_version(void) { return "0.1.0"; }
EXPORT const char *plugin_get_description(void) { return "Listens"; }
EXPORT const char *plugin_get_contact(void) { return "nobody"; }
EXPORT const char *plugin_get_last_error(ss_plugin_t *p) { return ((struct state *)p)->error; }

/* ---- a table with one entry, key 1, and one field, "seen" ---- */

static const char *table_name(ss_plugin_table_t *t) { return (void)t, "seen"; }
static uint64_t table_size(ss_plugin_table_t *t) { return (void)t, 1; }
static ss_plugin_table_entry_t *get_entry(ss_plugin_table_t *t, const ss_plugin_state_data *key) {
    struct state *s = t;
    if (key->u64 != 1) return NULL;
    s->borrowed++;
    return &s->entry;
}
static ss_plugin_rc read_field(ss_plugin_table_t *t, ss_plugin_table_entry_t *e,
                               const ss_plugin_table_field_t *f, ss_plugin_state_data *out) {
    (void)t;
    (void)f;
    out->u64 = *(uint64_t *)e;
    return SS_PLUGIN_SUCCESS;
}
static void release(ss_plugin_table_t *t, ss_plugin_table_entry_t *e) {
    (void)e;
    ((struct state *)t)->borrowed--;
}
static ss_plugin_bool iterate(ss_plugin_table_t *t, ss_plugin_table_iterator_func_t it,
                              ss_plugin_table_iterator_state_t *i) {
    return it(i, &((struct state *)t)->entry);
}
static ss_plugin_rc no_clear(ss_plugin_table_t *t) { return (void)t, SS_PLUGIN_NOT_SUPPORTED; }
static ss_plugin_rc no_erase(ss_plugin_table_t *t, const ss_plugin_state_data *k) {
    return (void)t, (void)k, SS_PLUGIN_NOT_SUPPORTED;
}
static ss_plugin_table_entry_t *no_create(ss_plugin_table_t *t) { return (void)t, NULL; }
static void no_destroy(ss_plugin_table_t *t, ss_plugin_table_entry_t *e) { (void)t, (void)e; }
static ss_plugin_table_entry_t *no_add(ss_plugin_table_t *t, const ss_plugin_state_data *k,
                                       ss_plugin_table_entry_t *e) {
    return (void)t, (void)k, (void)e, NULL;
}
static ss_plugin_rc write_field(ss_plugin_table_t *t, ss_plugin_table_entry_t *e,
                                const ss_plugin_table_field_t *f, const ss_plugin_state_data *in) {
    (void)t;
    (void)f;
    *(uint64_t *)e = in->u64;
    return SS_PLUGIN_SUCCESS;
}
static const ss_plugin_table_fieldinfo *list_fields(ss_plugin_table_t *t, uint32_t *n) {
    static const ss_plugin_table_fieldinfo info = {"seen", SS_PLUGIN_ST_UINT64, 0};
    (void)t;
    *n = 1;
    return &info;
}
static ss_plugin_table_field_t *get_field(ss_plugin_table_t *t, const char *name,
                                          ss_plugin_state_type type) {
    return strcmp(name, "seen") == 0 && type == SS_PLUGIN_ST_UINT64 ? t : NULL;
}
static ss_plugin_table_field_t *no_add_field(ss_plugin_table_t *t, const char *name,
                                             ss_plugin_state_type type) {
    return (void)t, (void)name, (void)type, NULL;
}

static ss_plugin_rc add_table(struct state *s, const ss_plugin_init_tables_input *tables) {
    ss_plugin_table_reader_vtable_ext reader = {table_name, table_size, get_entry,
                                                read_field, release,    iterate};
    ss_plugin_table_writer_vtable_ext writer = {no_clear,   no_erase, no_create,
                                                no_destroy, no_add,   write_field};
    ss_plugin_table_fields_vtable_ext fields = {list_fields, get_field, no_add_field};
    ss_plugin_table_input in = {
        .name = "seen",
        .key_type = SS_PLUGIN_ST_UINT64,
        .table = s,
        .reader = {table_name, table_size, get_entry, read_field},
        .writer = {no_clear, no_erase, no_create, no_destroy, no_add, write_field},
        .fields = {list_fields, get_field, no_add_field},
        .reader_ext = &reader,
        .writer_ext = &writer,
        .fields_ext = &fields,
    };
    return tables->add_table(s->owner, &in);
}

EXPORT ss_plugin_t *plugin_init(const ss_plugin_init_input *in, ss_plugin_rc *rc) {
    struct state *s = calloc(1, sizeof(*s));
    uint32_t n = 77;
    *rc = SS_PLUGIN_FAILURE;
    s->owner = in->owner;
    s->log = in->log_fn;
    say(s, "init");
    if (in->tables->get_table(s->owner, "threads", SS_PLUGIN_ST_INT64)) return s;
    snprintf(s->error, sizeof(s->error), "owner: %s", in->get_owner_last_error(s->owner));
    if (strstr(in->config, "needs threads")) return s;
    if (add_table(s, in->tables) != SS_PLUGIN_SUCCESS) return s;
    ss_plugin_table_info *infos = in->tables->list_tables(s->owner, &n);
    if (n != 1 || strcmp(infos[0].name, "seen") != 0) return s;
    s->table = in->tables->get_table(s->owner, "seen", SS_PLUGIN_ST_UINT64);
    s->field = in->tables->fields.get_table_field(s->table, "seen", SS_PLUGIN_ST_UINT64);
    if (s->table && s->field) *rc = SS_PLUGIN_SUCCESS;
    return s;
}

EXPORT void plugin_destroy(ss_plugin_t *p) {
    say(p, "destroy");
    free(p);
}

/* ---- parsing: counts in the table, and leaves the entry borrowed for the host to release ---- */

EXPORT const char *plugin_get_parse_event_sources(void) { return "[\"stub\",\"syscall\"]"; }
EXPORT uint16_t *plugin_get_parse_event_types(uint32_t *n, ss_plugin_t *p) {
    static uint16_t types[] = {PPME_PLUGINEVENT_E, PPME_ASYNCEVENT_E};
    (void)p;
    *n = 2;
    return types;
}
EXPORT ss_plugin_rc plugin_parse_event(ss_plugin_t *p, const ss_plugin_event_input *evt,
                                       const ss_plugin_event_parse_input *in) {
    struct state *s = p;
    ss_plugin_state_data key = {.u64 = 1}, value;
    (void)evt;
    ss_plugin_table_entry_t *e = in->table_reader.get_table_entry(s->table, &key);
    if (!e || s->borrowed != 1) return SS_PLUGIN_FAILURE;
    if (in->table_reader_ext->read_entry_field(s->table, e, s->field, &value) != SS_PLUGIN_SUCCESS)
        return SS_PLUGIN_FAILURE;
    value.u64++;
    return in->table_writer.write_entry_field(s->table, e, s->field, &value);
}

EXPORT ss_plugin_metric *plugin_get_metrics(ss_plugin_t *p, uint32_t *n) {
    static _Thread_local ss_plugin_metric seen;
    seen = (ss_plugin_metric){.name = "seen",
                              .value.u64 = ((struct state *)p)->entry,
                              .value_type = SS_PLUGIN_METRIC_VALUE_TYPE_U64};
    *n = 1;
    return &seen;
}

/* ---- asynchronous events ---- */

struct async_event {
    ss_plugin_event header;
    uint32_t lengths[3];
    uint32_t plugin_id;
    char rest[64];
} __attribute__((packed));

static ss_plugin_rc send_event(struct state *s, ss_plugin_owner_t *owner,
                         ss_plugin_async_event_handler_t handler, const char *name, uint64_t ts,
                         const char *data) {
    struct async_event e = {.lengths = {4, (uint32_t)strlen(name) + 1, (uint32_t)strlen(data)},
                            .plugin_id = 5};
    e.header.ts = ts;
    e.header.tid = UINT64_MAX;
    e.header.type = PPME_ASYNCEVENT_E;
    e.header.nparams = 3;
    e.header.len = 42 + e.lengths[1] + e.lengths[2];
    strcpy(e.rest, name);
    memcpy(e.rest + e.lengths[1], data, e.lengths[2]);
    return handler(owner, &e.header, s->error);
}

static void *sender(void *p) {
    struct state *s = p;
    for (uint64_t i = 1; i <= 3; i++) {
        char data[2] = {(char)('0' + i), 0};
        send_event(s, s->owner, s->handler, "tick", 4 - i, data); /* the latest first */
    }
    return NULL;
}

EXPORT const char *plugin_get_async_events(void) { return "[\"tick\",\"state\"]"; }
EXPORT const char *plugin_get_async_event_sources(void) { return "[]"; }

EXPORT ss_plugin_rc plugin_set_async_event_handler(ss_plugin_t *p, ss_plugin_owner_t *owner,
                                                   const ss_plugin_async_event_handler_t handler) {
    struct state *s = p;
    if (s->running) pthread_join(s->thread, NULL);
    s->running = 0;
    say(s, handler ? "set_async_event_handler" : "set_async_event_handler NULL");
    if (!handler) return SS_PLUGIN_SUCCESS;
    s->handler = handler;
    if (send_event(s, owner, handler, "unknown", 1, "") != SS_PLUGIN_FAILURE) {
        snprintf(s->error, sizeof(s->error), "an unknown name was taken");
        return SS_PLUGIN_FAILURE;
    }
    say(s, s->error);
    s->owner = owner;
    s->running = pthread_create(&s->thread, NULL, sender, s) == 0;
    if (s->running) {
        pthread_join(s->thread, NULL);
        s->running = 0;
    }
    return SS_PLUGIN_SUCCESS;
}

EXPORT ss_plugin_rc plugin_dump_state(ss_plugin_t *p, ss_plugin_owner_t *owner,
                                      const ss_plugin_async_event_handler_t handler) {
    return send_event(p, owner, handler, "state", UINT64_MAX, "all of it");
}

/* ---- capture listening ---- */

EXPORT ss_plugin_rc plugin_capture_open(ss_plugin_t *p, const ss_plugin_capture_listen_input *in) {
    struct state *s = p;
    say(s, in->routine->subscribe(in->owner, NULL, NULL) ? "capture_open with routines"
                                                         : "capture_open");
    return in->table_reader_ext->get_table_size(s->table) == 1 ? SS_PLUGIN_SUCCESS
                                                               : SS_PLUGIN_FAILURE;
}
EXPORT ss_plugin_rc plugin_capture_close(ss_plugin_t *p, const ss_plugin_capture_listen_input *in) {
    (void)in;
    say(p, "capture_close");
    return SS_PLUGIN_SUCCESS;
}
