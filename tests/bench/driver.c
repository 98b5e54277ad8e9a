/* SPDX-License-Identifier: Apache-2.0
 *
 * A host in C for measuring: no interpreter of its own, so what it times is the plugin.
 *
 *   driver PLUGIN.so CONFIG PARAMS EVENTS FIELD...
 *
 * Loads and opens the plugin, reads EVENTS events, asks for every FIELD of each, and prints
 * one JSON object. A FIELD is NAME:ID or NAME:ID:KEY. As a shared library, bench_bridge()
 * does the same with a bridge that is in this process already.
 */
#include "falcopy_bridge.h"
#include "measured.h"

enum { HIT_ROUNDS = 20000, MISS_ROUNDS = 2000, LATENCIES = 4000000 };

static struct {
    ss_plugin_t *(*init)(const ss_plugin_init_input *, ss_plugin_rc *);
    void (*destroy)(ss_plugin_t *);
    const char *(*get_last_error)(ss_plugin_t *);
    ss_instance_t *(*open)(ss_plugin_t *, const char *, ss_plugin_rc *);
    void (*close)(ss_plugin_t *, ss_instance_t *);
    ss_plugin_rc (*next_batch)(ss_plugin_t *, ss_instance_t *, uint32_t *, ss_plugin_event ***);
    ss_plugin_rc (*extract_fields)(ss_plugin_t *, const ss_plugin_event_input *,
                                   const ss_plugin_field_extract_input *);
} api;

static const struct falcopy_bridge *bridge; /* instead of a library */
static const char *bridge_plugin;

static uint32_t *latencies;
static size_t latency_count;

static double now(void) { return at(CLOCK_MONOTONIC); }

static double cpu(void) { return at(CLOCK_PROCESS_CPUTIME_ID); }

static void load(const char *path) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        (void)fprintf(stderr, "%s\n", dlerror());
        exit(2);
    }
    *(void **)&api.init = symbol(library, "plugin_init");
    *(void **)&api.destroy = symbol(library, "plugin_destroy");
    *(void **)&api.get_last_error = symbol(library, "plugin_get_last_error");
    *(void **)&api.open = symbol(library, "plugin_open");
    *(void **)&api.close = symbol(library, "plugin_close");
    *(void **)&api.next_batch = symbol(library, "plugin_next_batch");
    *(void **)&api.extract_fields = symbol(library, "plugin_extract_fields");
}

static uint64_t extract(ss_plugin_t *state, const ss_plugin_event_input *input, uint32_t which) {
    ss_plugin_field_extract_input in = {.num_fields = 1, .fields = &fields[which]};
    (void)api.extract_fields(state, input, &in);
    return fields[which].res_len;
}

static void timed_extract(ss_plugin_t *state, const ss_plugin_event_input *input, uint32_t which) {
    struct timespec before, after;
    (void)clock_gettime(CLOCK_MONOTONIC, &before);
    (void)extract(state, input, which);
    (void)clock_gettime(CLOCK_MONOTONIC, &after);
    if (latency_count < LATENCIES) {
        latencies[latency_count++] = (uint32_t)((after.tv_sec - before.tv_sec) * 1000000000 +
                                                after.tv_nsec - before.tv_nsec);
    }
}

static int by_value(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static double percentile(double share) {
    if (latency_count == 0) return 0;
    return latencies[(size_t)((double)(latency_count - 1) * share)];
}

static void fail(ss_plugin_t *state, const char *what) {
    (void)fprintf(stderr, "%s: %s\n", what, api.get_last_error(state));
    exit(1);
}

static void log_nothing(ss_plugin_owner_t *owner, const char *component, const char *message,
                        ss_plugin_log_severity severity) {
    (void)owner, (void)component, (void)message, (void)severity;
}

static ss_plugin_t *bridge_init(const ss_plugin_init_input *in, ss_plugin_rc *rc) {
    return bridge->init(bridge_plugin, "3.3.0", in, rc);
}

static void use_bridge(void) {
    api.init = bridge_init;
    api.destroy = bridge->destroy;
    api.get_last_error = bridge->get_last_error;
    api.open = bridge->open;
    api.close = bridge->close;
    api.next_batch = bridge->next_batch;
    api.extract_fields = bridge->extract_fields;
}

/* Arguments as main() has them. The result goes to `out`. */
static int run(int argc, char **argv, char *out, size_t size) {
    if (argc < 5) return 2;
    field_count = 0;
    latency_count = 0;
    memset(fields, 0, sizeof fields);
    for (int i = 5; i < argc; i++) add_field(argv[i]);
    uint64_t wanted = strtoull(argv[4], NULL, 10);
    latencies = malloc(LATENCIES * sizeof *latencies);
    if (latencies == NULL) return 2;
    memset(latencies, 0, LATENCIES * sizeof *latencies);

    double rss_before = resident_mb();
    double began = now();
    if (bridge != NULL) {
        use_bridge();
    } else {
        load(argv[1]);
    }
    ss_plugin_rc rc = SS_PLUGIN_FAILURE;
    static const ss_plugin_init_tables_input tables;
    ss_plugin_init_input init_input = {
        .config = argv[2], .log_fn = log_nothing, .tables = &tables};
    ss_plugin_t *state = api.init(&init_input, &rc);
    if (rc != SS_PLUGIN_SUCCESS) fail(state, "init");
    double init_seconds = now() - began;
    double rss_init = resident_mb();

    ss_instance_t *instance = api.open(state, argv[3], &rc);
    if (rc != SS_PLUGIN_SUCCESS) fail(state, "open");
    uint32_t count = 0;
    ss_plugin_event **events = NULL;
    do {
        rc = api.next_batch(state, instance, &count, &events);
    } while (rc == SS_PLUGIN_TIMEOUT);
    if (count == 0) fail(state, "next_batch");

    /* One event, over and over: the first round misses, the rest hits. */
    ss_plugin_event_input input = {.evt = events[0], .evtnum = 1, .evtsrc = "bench"};
    uint64_t values = 0;
    for (uint32_t f = 0; f < field_count; f++) values += extract(state, &input, f) != 0;
    double start = now();
    for (int round = 0; round < HIT_ROUNDS; round++) {
        for (uint32_t f = 0; f < field_count; f++) (void)extract(state, &input, f);
    }
    double hit_ns = (now() - start) * 1e9 / HIT_ROUNDS / (field_count > 0 ? field_count : 1);

    /* A copy elsewhere, as from a capture file: every event misses once. */
    ss_plugin_event *copy = malloc(events[0]->len);
    if (copy == NULL) return 2;
    memcpy(copy, events[0], events[0]->len);
    ss_plugin_event_input foreign = {.evt = copy, .evtnum = 1, .evtsrc = "bench"};
    start = now();
    for (int round = 0; round < MISS_ROUNDS; round++) {
        foreign.evtnum++;
        for (uint32_t f = 0; f < field_count; f++) (void)extract(state, &foreign, f);
    }
    double miss_us = (now() - start) * 1e6 / MISS_ROUNDS;

    /* The stream: what was learned above is computed ahead. The first batches were made before
     * that. Half of the rest times every call, half only drains: the source's own cost. */
    uint64_t read = count, number = count;
    uint64_t skip = 2048, timed = skip + wanted / 2;
    double stream_start = 0, cpu_start = 0;
    while (read < wanted + skip) {
        rc = api.next_batch(state, instance, &count, &events);
        if (rc == SS_PLUGIN_EOF || rc == SS_PLUGIN_FAILURE) break;
        for (uint32_t i = 0; read < timed && i < count; i++) {
            input.evt = events[i];
            input.evtnum = ++number;
            for (uint32_t f = 0; f < field_count; f++) {
                if (read < skip) {
                    (void)extract(state, &input, f);
                } else {
                    timed_extract(state, &input, f);
                }
            }
        }
        if (read < timed && read + count >= timed) {
            stream_start = now();
            cpu_start = cpu();
            timed = read + count;
        }
        read += count;
    }
    double seconds = now() - stream_start;
    double cpu_seconds = cpu() - cpu_start;
    double streamed = read > timed ? (double)(read - timed) : 0;
    double rss_end = resident_mb();
    api.close(state, instance);
    api.destroy(state);

    qsort(latencies, latency_count, sizeof *latencies, by_value);
    (void)snprintf(out, size,
                   "{\"init_s\": %.4f, \"rss_init_mb\": %.1f, \"rss_end_mb\": %.1f, \"values\": %llu, "
                 "\"hit_ns\": %.1f, \"miss_us\": %.2f, \"events\": %.0f, \"seconds\": %.4f, "
                 "\"cpu_us_per_event\": %.3f, \"us_per_event\": %.3f, \"p50_ns\": %.0f, "
                 "\"p999_ns\": %.0f, \"max_ns\": %.0f}",
                 init_seconds, rss_init - rss_before, rss_end - rss_before,
                 (unsigned long long)values, hit_ns, miss_us, streamed, seconds,
                 streamed > 0 ? cpu_seconds * 1e6 / streamed : 0,
                 streamed > 0 ? seconds * 1e6 / streamed : 0, percentile(0.5), percentile(0.999),
                 percentile(1.0));
    free(latencies);
    free(copy);
    return 0;
}

#ifdef DRIVER_LIBRARY
__attribute__((visibility("default"))) int bench_bridge(const struct falcopy_bridge *table,
                                                        const char *plugin_ref, int argc,
                                                        char **argv, char *out, size_t size) {
    bridge = table;
    bridge_plugin = plugin_ref;
    return run(argc, argv, out, size);
}
#else
int main(int argc, char **argv) {
    char out[1024];
    int rc = run(argc, argv, out, sizeof out);
    if (rc == 0) (void)puts(out);
    return rc;
}
#endif
