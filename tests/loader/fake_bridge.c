/* SPDX-License-Identifier: Apache-2.0
 *
 * A bridge without Python, for the tests of the loader. It answers simply, appends
 * a line a call to the file $FAKE_BRIDGE_LOG, and misbehaves as $FAKE_BRIDGE says:
 *   boot-fails     falcopy_bridge_boot() returns NULL with a reason
 *   boot-silent    the same without a reason
 *   old-version    the table has another version
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "falcopy_bridge.h"

struct fake {
    char config[64];
    char answer[64];
};

static void record(const char *format, ...)
{
    const char *path = getenv("FAKE_BRIDGE_LOG");
    char line[4096];
    va_list arguments;

    if (path == NULL)
        return;
    va_start(arguments, format);
    const int size = vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    const int log = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (log < 0 || write(log, line, (size_t)size) != size)
        abort();
    (void)close(log);
}

static int is(const struct fake *fake, const char *config)
{
    return strcmp(fake->config, config) == 0;
}

/* config "none": no state; "bad": a failed state; "careless": no out-parameter written. */
static ss_plugin_t *fake_init(const char *plugin_ref, const char *api_version,
                              const ss_plugin_init_input *in, ss_plugin_rc *rc)
{
    struct fake *fake = calloc(1, sizeof(*fake));

    record("init %s %s %s\n", plugin_ref, api_version, in->config);
    (void)snprintf(fake->config, sizeof(fake->config), "%s", in->config);
    *rc = is(fake, "bad") ? SS_PLUGIN_FAILURE : SS_PLUGIN_SUCCESS;
    if (is(fake, "none")) {
        free(fake);
        return NULL;
    }
    return fake;
}

static void fake_destroy(ss_plugin_t *s)
{
    record("destroy\n");
    free(s);
}

static const char *fake_get_last_error(ss_plugin_t *s)
{
    return is(s, "careless") ? NULL : is(s, "bad") ? "the config is bad" : "no error";
}

static ss_instance_t *fake_open(ss_plugin_t *s, const char *params, ss_plugin_rc *rc)
{
    record("open %s\n", params);
    if (is(s, "careless"))
        return NULL;
    *rc = SS_PLUGIN_SUCCESS;
    return s;
}

static void fake_close(ss_plugin_t *s, ss_instance_t *h)
{
    record("close %d\n", s == h);
}

static const char *fake_list_open_params(ss_plugin_t *s, ss_plugin_rc *rc)
{
    if (is(s, "careless"))
        return NULL;
    *rc = SS_PLUGIN_SUCCESS;
    return "[{\"value\":\"here\"}]";
}

static const char *fake_get_progress(ss_plugin_t *s, ss_instance_t *h, uint32_t *progress_pct)
{
    (void)h;
    if (is(s, "careless"))
        return NULL;
    *progress_pct = 5000;
    return "half";
}

static const char *fake_event_to_string(ss_plugin_t *s, const ss_plugin_event_input *evt)
{
    struct fake *fake = s;

    if (is(s, "careless"))
        return NULL;
    (void)snprintf(fake->answer, sizeof(fake->answer), "event %u", (unsigned)evt->evtnum);
    return fake->answer;
}

static ss_plugin_rc fake_next_batch(ss_plugin_t *s, ss_instance_t *h, uint32_t *nevts,
                                    ss_plugin_event ***evts)
{
    static ss_plugin_event event = {.ts = 7, .len = sizeof(ss_plugin_event)};
    static ss_plugin_event *events[1] = {&event};

    (void)h;
    if (is(s, "careless"))
        return SS_PLUGIN_TIMEOUT;
    *nevts = 1;
    *evts = events;
    return SS_PLUGIN_SUCCESS;
}

static ss_plugin_rc fake_extract_fields(ss_plugin_t *s, const ss_plugin_event_input *evt,
                                        const ss_plugin_field_extract_input *in)
{
    static uint64_t number;

    (void)s;
    number = evt->evtnum;
    for (uint32_t i = 0; i < in->num_fields; i++) {
        in->fields[i].res.u64 = &number;
        in->fields[i].res_len = 1;
    }
    return SS_PLUGIN_SUCCESS;
}

static ss_plugin_rc fake_parse_event(ss_plugin_t *s, const ss_plugin_event_input *evt,
                                     const ss_plugin_event_parse_input *in)
{
    (void)s, (void)in;
    record("parse_event %u\n", (unsigned)evt->evtnum);
    return SS_PLUGIN_SUCCESS;
}

static ss_plugin_rc fake_set_async_event_handler(ss_plugin_t *s, ss_plugin_owner_t *owner,
                                                 ss_plugin_async_event_handler_t handler)
{
    (void)s, (void)owner;
    record("set_async_event_handler %d\n", handler != NULL);
    return SS_PLUGIN_SUCCESS;
}

static ss_plugin_rc fake_dump_state(ss_plugin_t *s, ss_plugin_owner_t *owner,
                                    ss_plugin_async_event_handler_t handler)
{
    (void)s;
    return handler(owner, NULL, NULL);
}

static ss_plugin_rc fake_set_config(ss_plugin_t *s, const ss_plugin_set_config_input *in)
{
    (void)s;
    record("set_config %s\n", in->config);
    return SS_PLUGIN_SUCCESS;
}

static ss_plugin_metric *fake_get_metrics(ss_plugin_t *s, uint32_t *num_metrics)
{
    static ss_plugin_metric metric = {.name = "fake", .value = {.u64 = 3}};

    *num_metrics = 1;
    return is(s, "careless") ? NULL : &metric;
}

static ss_plugin_rc fake_capture_open(ss_plugin_t *s, const ss_plugin_capture_listen_input *in)
{
    (void)s, (void)in;
    record("capture_open\n");
    return SS_PLUGIN_SUCCESS;
}

static ss_plugin_rc fake_capture_close(ss_plugin_t *s, const ss_plugin_capture_listen_input *in)
{
    (void)s, (void)in;
    record("capture_close\n");
    return SS_PLUGIN_SUCCESS;
}

__attribute__((visibility("default"))) const struct falcopy_bridge *
falcopy_bridge_boot(const char *root, char *error, size_t size)
{
    static struct falcopy_bridge table = {
        .size = sizeof(struct falcopy_bridge),
        .init = fake_init,
        .destroy = fake_destroy,
        .get_last_error = fake_get_last_error,
        .open = fake_open,
        .close = fake_close,
        .list_open_params = fake_list_open_params,
        .get_progress = fake_get_progress,
        .event_to_string = fake_event_to_string,
        .next_batch = fake_next_batch,
        .extract_fields = fake_extract_fields,
        .parse_event = fake_parse_event,
        .set_async_event_handler = fake_set_async_event_handler,
        .dump_state = fake_dump_state,
        .set_config = fake_set_config,
        .get_metrics = fake_get_metrics,
        .capture_open = fake_capture_open,
        .capture_close = fake_capture_close,
    };
    const char *mode = getenv("FAKE_BRIDGE");

    record("boot %s\n", root);
    if (mode != NULL && strcmp(mode, "boot-fails") == 0) {
        (void)snprintf(error, size, "the standard library is missing");
        return NULL;
    }
    if (mode != NULL && strcmp(mode, "boot-silent") == 0)
        return NULL;
    table.version = FALCOPY_BRIDGE_VERSION;
    if (mode != NULL && strcmp(mode, "old-version") == 0)
        table.version = FALCOPY_BRIDGE_VERSION + 1;
    return &table;
}
