/* A plugin with a source, fields, metrics and asynchronous events that has one defect: the one
 * whose macro is defined. Without any it is a good plugin. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "falcopy_abi.h"

#define EXPORT __attribute__((visibility("default")))
#define UNUSED __attribute__((unused))

struct state {
    char error[256];
    const char *string;
    uint64_t number;
    ss_plugin_bool flag;
    ss_plugin_metric metric;
    char *text;
    pthread_t sender;
    volatile int sending;
    ss_plugin_owner_t *owner;
    ss_plugin_async_event_handler_t handler;
};

struct instance {
    unsigned given;
    struct {
        ss_plugin_event header;
        char rest[64];
    } __attribute__((packed)) event;
    ss_plugin_event *list[1];
};

/* Set by every destroy, also while other states live. */
static UNUSED int broken_by_others;
/* How many are open. */
static UNUSED int sources;

static UNUSED void *grow(void *ignored) {
    for (;;) {
        memset(malloc(1 << 20), 1, 1 << 20);
        usleep(2000);
    }
    return ignored;
}

EXPORT const char *plugin_get_required_api_version(void) { return "3.6.0"; }
#ifdef BAD_NAME
EXPORT const char *plugin_get_name(void) { return "Broken Plugin"; }
#else
EXPORT const char *plugin_get_name(void) { return "broken"; }
#endif
#ifdef BAD_VERSION
EXPORT const char *plugin_get_version(void) { return "01.2.3 beta"; }
#else
EXPORT const char *plugin_get_version(void) { return "0.1.0"; }
#endif
#ifdef NULL_CONTACT
EXPORT const char *plugin_get_contact(void) { return NULL; }
#else
EXPORT const char *plugin_get_contact(void) { return "https://example.org/broken"; }
#endif
#ifdef CHANGING_FACT
EXPORT const char *plugin_get_description(void) {
    static char text[32];
    static int calls;
    snprintf(text, sizeof(text), "Call %d", ++calls);
    return text;
}
#else
EXPORT const char *plugin_get_description(void) { return "Has one defect"; }
#endif
#ifdef RESERVED_ID
EXPORT uint32_t plugin_get_id(void) { return 4000000000u; }
#elif defined ID_WITHOUT_SOURCE
EXPORT uint32_t plugin_get_id(void) { return 0; }
#else
EXPORT uint32_t plugin_get_id(void) { return 999; }
#endif
EXPORT const char *plugin_get_event_source(void) { return "broken"; }
#ifdef BAD_EVENT_SOURCES
EXPORT const char *plugin_get_extract_event_sources(void) { return "[\"broken\", \"Other One\"]"; }
#endif
EXPORT const char *plugin_get_last_error(ss_plugin_t *p) {
#ifdef NULL_ERROR
    (void)p;
    return NULL;
#else
    return ((struct state *)p)->error;
#endif
}

EXPORT const char *plugin_get_init_schema(ss_plugin_schema_type *type) {
    *type = SS_PLUGIN_SCHEMA_JSON;
#ifdef BAD_SCHEMA
    return "{\"type\": 5}";
#elif defined LAX_SCHEMA
    return "{\"type\":\"object\",\"properties\":{\"url\":{\"type\":\"string\"}}}";
#else
    return "{\"type\":\"object\",\"properties\":{\"url\":{\"type\":\"string\"},"
           "\"password\":{\"type\":\"string\"}},\"additionalProperties\":false}";
#endif
}

EXPORT ss_plugin_t *plugin_init(const ss_plugin_init_input *in, ss_plugin_rc *rc) {
    static int UNUSED live;
    *rc = SS_PLUGIN_SUCCESS;
#ifdef SAME_STATE
    static struct state only;
    struct state *s = &only;
#else
    struct state *s = calloc(1, sizeof(*s));
#endif
#ifdef ONE_INIT_ONLY
    if (__atomic_fetch_add(&live, 1, __ATOMIC_SEQ_CST) > 0) {
        snprintf(s->error, sizeof(s->error), "it runs already");
        *rc = SS_PLUGIN_FAILURE;
    }
#endif
#ifdef NOT_THREAD_SAFE
    if (__atomic_fetch_add(&live, 1, __ATOMIC_SEQ_CST) > 0) {
        snprintf(s->error, sizeof(s->error), "somebody else is here");
        *rc = SS_PLUGIN_FAILURE;
    }
    usleep(3000);
    __atomic_fetch_sub(&live, 1, __ATOMIC_SEQ_CST);
#endif
#ifdef REFUSES_TO_START
    snprintf(s->error, sizeof(s->error), "no such host: %zu characters", strlen(in->config));
    *rc = SS_PLUGIN_FAILURE;
#endif
#ifdef BREAKS_OTHERS
    broken_by_others = 0;
#endif
#ifdef LEAKS_MAPPINGS
    memset(mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 1,
           1 << 20);
#endif
#ifdef EXITS_IN_INIT
    exit(3);
#endif
#ifdef LOGS_SECRET
    char line[512];
    snprintf(line, sizeof(line), "started with %s", in->config);
    in->log_fn(in->owner, NULL, line, SS_PLUGIN_LOG_SEV_INFO);
#endif
#ifdef PRINTS_SECRET
    printf("started with %s\n", in->config);
    fflush(stdout);
#endif
    s->text = strdup("some text that lies on the heap");
    (void)in;
    return s;
}

EXPORT void plugin_destroy(ss_plugin_t *p) {
    struct state *s = p;
#ifdef CRASH_AT_DESTROY
    *(volatile int *)1 = 1;
#endif
    free(s->text);
    s->text = NULL;
#ifdef BREAKS_OTHERS
    broken_by_others = 1;
#endif
#ifdef LEAKS_STATES
    return;
#endif
#ifndef SAME_STATE
#ifdef ONE_INIT_ONLY
    (void)0;
#endif
    free(s);
#endif
}

EXPORT ss_instance_t *plugin_open(ss_plugin_t *p, const char *params, ss_plugin_rc *rc) {
    struct instance *h = calloc(1, sizeof(*h));
    *rc = SS_PLUGIN_SUCCESS;
    h->list[0] = &h->event.header;
#ifdef ONE_SOURCE_ONLY
    if (__atomic_fetch_add(&sources, 1, __ATOMIC_SEQ_CST) > 0) {
        *rc = SS_PLUGIN_FAILURE;
        snprintf(((struct state *)p)->error, 256, "a source is open already");
    }
#endif
#ifdef OPEN_FAILS
    *rc = SS_PLUGIN_FAILURE;
    snprintf(((struct state *)p)->error, 256, "no route to host");
    free(h);
    return NULL;
#endif
#ifdef NULL_ERROR
    *rc = SS_PLUGIN_FAILURE;
    free(h);
    return NULL;
#endif
#ifdef UNBOUNDED
    pthread_t thread;
    pthread_create(&thread, NULL, grow, NULL);
#endif
#ifdef CRASH_AT_CLOSE_OF_NOTHING
    if (params[0] == 1) {
        *rc = SS_PLUGIN_FAILURE;
        snprintf(((struct state *)p)->error, 256, "no such parameters");
        free(h);
        return NULL;
    }
#endif
    (void)p;
    (void)params;
    return h;
}

EXPORT void plugin_close(ss_plugin_t *p, ss_instance_t *h) {
    (void)p;
#ifdef ONE_SOURCE_ONLY
    __atomic_fetch_sub(&sources, 1, __ATOMIC_SEQ_CST);
#endif
#ifdef CRASH_AT_CLOSE_OF_NOTHING
    if (((struct instance *)h)->given > 7) return;
#endif
#ifdef HANG_IN_CLOSE
    if (h) pause();
#endif
#ifdef LEAKS_FILES
    if (h) (void)!dup(0);
#endif
    free(h);
}

EXPORT ss_plugin_rc plugin_next_batch(ss_plugin_t *p, ss_instance_t *i, uint32_t *nevts,
                                      ss_plugin_event ***evts) {
    static const uint32_t lengths[2] = {4, 5};
    struct instance *h = i;
    (void)p;
    *nevts = 0;
    *evts = h->list;
#ifdef SPINS
    if (h->given >= 3) return SS_PLUGIN_TIMEOUT;
#endif
#ifdef BLOCKS
    usleep(1300000);
#endif
#ifdef UNKNOWN_RC
    return 7;
#endif
#ifdef BREAKS_OTHERS
    if (broken_by_others) {
        snprintf(((struct state *)p)->error, 256, "the queue was closed");
        return SS_PLUGIN_FAILURE;
    }
#endif
#ifdef SOURCE_FAILS
    if (h->given >= 2) {
        snprintf(((struct state *)p)->error, 256, "connection reset");
        return SS_PLUGIN_FAILURE;
    }
#endif
    if (h->given >= 3) {
        usleep(20000);
        return SS_PLUGIN_TIMEOUT;
    }
    h->given++;
    h->event.header.ts = 1700000000000000000u + h->given;
    h->event.header.len = PLUGIN_EVENT_PAYLOAD_OFFSET + 5;
#ifdef WRONG_SIZE
    h->event.header.len += 3;
#endif
    h->event.header.type = PPME_PLUGINEVENT_E;
    h->event.header.nparams = 2;
    memcpy(h->event.rest, lengths, sizeof(lengths));
    memset(h->event.rest + 8, 0, 4);
    memcpy(h->event.rest + 12, "hello", 5);
#ifdef FOREIGN_ID
    h->event.rest[8] = 7;
#endif
    *nevts = 1;
    return SS_PLUGIN_SUCCESS;
}

EXPORT const char *plugin_get_fields(void) {
#ifdef BAD_FIELDS
    return "[{\"name\": \"broken.text\", \"type\": \"string\", ]";
#elif defined BAD_FIELD_NAME
    return "[{\"name\":\"text\",\"type\":\"string\",\"desc\":\"No dot\"}]";
#else
    return "[{\"name\":\"broken.text\",\"type\":\"string\",\"desc\":\"A text\"},"
           "{\"name\":\"broken.number\",\"type\":\"uint64\",\"desc\":\"A number\"},"
           "{\"name\":\"broken.flag\",\"type\":\"bool\",\"desc\":\"A flag\"}]";
#endif
}

EXPORT ss_plugin_rc plugin_extract_fields(ss_plugin_t *p, const ss_plugin_event_input *in,
                                          const ss_plugin_field_extract_input *ask) {
    struct state *s = p;
    ss_plugin_extract_field *f = ask->fields;
    UNUSED const char *payload = (const char *)in->evt + PLUGIN_EVENT_PAYLOAD_OFFSET;
    UNUSED uint32_t size = in->evt->len - PLUGIN_EVENT_PAYLOAD_OFFSET;
#ifdef CRASH_ON_EMPTY_EVENT
    if (size == 0) abort();
#endif
#ifdef SLOW_FIELD
    if (f->field_id == 1) usleep(1100000);
#endif
#ifdef ENDLESS_ON_NESTING
    if (size > 1000 && payload[0] == '[') for (;;) usleep(1000);
#endif
    f->res_len = 1;
    switch (f->field_id) {
    case 0:
        s->string = s->text;
        f->res.str = &s->string;
#ifdef WRONG_FIELD_TYPE /* a number where a string was declared */
        s->number = 17;
        f->res.u64 = &s->number;
#endif
#ifdef FREES_TOO_EARLY
        s->string = strdup("some text that lies on the heap");
        free((char *)s->string);
#endif
#ifdef NULL_STRING
        s->string = NULL;
#endif
        break;
    case 1:
        s->number = size;
#ifdef CHANGING_VALUE
        static uint64_t calls;
        s->number = ++calls;
#endif
        f->res.u64 = &s->number;
#ifdef LEAVES_RES_LEN
        memset(&f->res_len, 0xA5, sizeof(f->res_len));
#endif
        break;
    default:
        s->flag = 1;
#ifdef BAD_BOOL
        s->flag = 42;
#endif
        f->res.boolean = &s->flag;
    }
    return SS_PLUGIN_SUCCESS;
}

EXPORT ss_plugin_metric *plugin_get_metrics(ss_plugin_t *p, uint32_t *count) {
    struct state *s = p;
    *count = 1;
    s->metric.name = "events";
    s->metric.type = 0;
    s->metric.value_type = 2;
#ifdef BAD_METRIC
    s->metric.value_type = 99;
#endif
#ifdef BAD_METRIC_NAME
    s->metric.name = "events per second";
#endif
#ifdef METRICS_OF_ONE_THREAD
    static int readers;
    if (__atomic_fetch_add(&readers, 1, __ATOMIC_SEQ_CST) > 0) s->metric.name = "half_a_name";
    usleep(1000);
    __atomic_fetch_sub(&readers, 1, __ATOMIC_SEQ_CST);
#endif
    return &s->metric;
}

#ifdef NO_PARAMS_TO_LIST
EXPORT const char *plugin_list_open_params(ss_plugin_t *p, ss_plugin_rc *rc) {
    snprintf(((struct state *)p)->error, 256, "the folder is gone");
    *rc = SS_PLUGIN_FAILURE;
    return NULL;
}
#endif

#ifdef ASYNC
#include "broken_async.h"
#endif
