/* SPDX-License-Identifier: Apache-2.0
 *
 * A host in C that reads a stream for long and asks for every FIELD of each event.
 *
 *   stream PLUGIN.so CONFIG EVENTS EVERY FIELD...
 *
 * Prints one JSON object each EVERY events, and ends after EVENTS: events and bytes so far, seconds
 * and CPU seconds since the first event, resident megabytes. A FIELD is NAME:ID or NAME:ID:KEY.
 */
#include <inttypes.h>

#include "measured.h"

enum { FIRST_ARGUMENT = 5 };

static void log_line(ss_plugin_owner_t *owner, const char *component, const char *message,
                     ss_plugin_log_severity severity) {
    (void)owner, (void)component, (void)severity;
    (void)fprintf(stderr, "%s\n", message);
}

int main(int argc, char **argv) {
    if (argc < FIRST_ARGUMENT) return 2;
    uint64_t wanted = strtoull(argv[3], NULL, 10), every = strtoull(argv[4], NULL, 10);
    for (int i = FIRST_ARGUMENT; i < argc; i++) add_field(argv[i]);
    void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    if (library == NULL || every == 0) {
        (void)fprintf(stderr, "%s\n", library == NULL ? dlerror() : "EVERY is 0");
        return 2;
    }
    ss_plugin_t *(*init)(const ss_plugin_init_input *, ss_plugin_rc *);
    void (*destroy)(ss_plugin_t *);
    const char *(*last_error)(ss_plugin_t *);
    ss_instance_t *(*start)(ss_plugin_t *, const char *, ss_plugin_rc *);
    void (*finish)(ss_plugin_t *, ss_instance_t *);
    ss_plugin_rc (*next)(ss_plugin_t *, ss_instance_t *, uint32_t *, ss_plugin_event ***);
    ss_plugin_rc (*extract)(ss_plugin_t *, const ss_plugin_event_input *,
                            const ss_plugin_field_extract_input *);
    *(void **)&init = symbol(library, "plugin_init");
    *(void **)&destroy = symbol(library, "plugin_destroy");
    *(void **)&last_error = symbol(library, "plugin_get_last_error");
    *(void **)&start = symbol(library, "plugin_open");
    *(void **)&finish = symbol(library, "plugin_close");
    *(void **)&next = symbol(library, "plugin_next_batch");
    *(void **)&extract = symbol(library, "plugin_extract_fields");

    static const ss_plugin_init_tables_input tables;
    ss_plugin_init_input given = {.config = argv[2], .log_fn = log_line, .tables = &tables};
    ss_plugin_rc rc = SS_PLUGIN_FAILURE;
    ss_plugin_t *state = init(&given, &rc);
    ss_instance_t *instance = rc == SS_PLUGIN_SUCCESS ? start(state, "", &rc) : NULL;
    uint64_t read = 0, bytes = 0, values = 0, due = every;
    double began = 0, cpu = 0;
    while (rc == SS_PLUGIN_SUCCESS && read < wanted) {
        uint32_t count = 0;
        ss_plugin_event **events = NULL;
        rc = next(state, instance, &count, &events);
        if (rc == SS_PLUGIN_TIMEOUT) rc = SS_PLUGIN_SUCCESS;
        if (read == 0 && count > 0) {
            began = at(CLOCK_MONOTONIC);
            cpu = at(CLOCK_PROCESS_CPUTIME_ID);
        }
        for (uint32_t i = 0; i < count; i++) {
            ss_plugin_event_input event = {
                .evt = events[i], .evtnum = ++read, .evtsrc = "k8s_audit"};
            bytes += events[i]->len;
            /* One a call, as libsinsp asks. */
            for (uint32_t f = 0; f < field_count; f++) {
                ss_plugin_field_extract_input asked = {.num_fields = 1, .fields = &fields[f]};
                (void)extract(state, &event, &asked);
                values += fields[f].res_len != 0;
            }
        }
        if (read >= due || read >= wanted) {
            while (due <= read) due += every;
            (void)printf("{\"events\": %" PRIu64 ", \"bytes\": %" PRIu64 ", \"values\": %" PRIu64
                         ", \"seconds\": %.3f, \"cpu\": %.3f, \"rss_mb\": %.1f}\n",
                         read, bytes, values, at(CLOCK_MONOTONIC) - began,
                         at(CLOCK_PROCESS_CPUTIME_ID) - cpu, resident_mb());
            (void)fflush(stdout);
        }
    }
    if (rc != SS_PLUGIN_SUCCESS) {
        (void)fprintf(stderr, "%s\n", state != NULL ? last_error(state) : "init failed");
        return 1;
    }
    finish(state, instance);
    destroy(state);
    return 0;
}
