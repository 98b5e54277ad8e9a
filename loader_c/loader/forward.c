/* SPDX-License-Identifier: Apache-2.0 */
#include "forward.h"

#include <stdlib.h>

#include "boot.h"
#include "image.h"

struct state {
    const struct falcopy_bridge *bridge; /* NULL: init failed before there was one */
    ss_plugin_t *inner;
    struct message error; /* of that failure; not written to afterwards */
};

/* What init returns when there is no memory even for the failure. */
static struct state no_memory = {NULL, NULL, {"out of memory"}};

/* The state to forward to, or NULL where the call has to be answered here. */
static const struct state *live(ss_plugin_t *s)
{
    const struct state *state = s;

    return state != NULL && state->bridge != NULL ? state : NULL;
}

static const char *text(const char *value)
{
    return value != NULL ? value : "";
}

ss_plugin_t *forward_init(const ss_plugin_init_input *in, ss_plugin_rc *rc)
{
    struct state *state = calloc(1, sizeof(*state));
    ss_plugin_rc result = SS_PLUGIN_FAILURE;

    if (state == NULL) {
        state = &no_memory;
    } else if (in == NULL) {
        (void)message_set(&state->error, "the host called plugin_init without an input");
    } else {
        const struct falcopy_bridge *bridge = boot(&state->error);
        if (bridge != NULL) {
            state->inner = bridge->init(image_string(FALCOPY_STRING_PLUGIN_REF),
                                        image_string(FALCOPY_STRING_REQUIRED_API_VERSION), in,
                                        &result);
            if (state->inner != NULL) {
                state->bridge = bridge;
            } else {
                result = SS_PLUGIN_FAILURE;
                (void)message_set(&state->error, "the plugin's Python runtime gave no state");
            }
        }
    }
    if (rc != NULL)
        *rc = result;
    return state;
}

void forward_destroy(ss_plugin_t *s)
{
    const struct state *state = live(s);

    if (state != NULL)
        state->bridge->destroy(state->inner);
    if (s != &no_memory)
        free(s);
}

const char *forward_get_last_error(ss_plugin_t *s)
{
    const struct state *state = live(s);

    if (state != NULL)
        return text(state->bridge->get_last_error(state->inner));
    return s != NULL ? ((const struct state *)s)->error.text : "";
}

ss_instance_t *forward_open(ss_plugin_t *s, const char *params, ss_plugin_rc *rc)
{
    const struct state *state = live(s);
    ss_plugin_rc result = SS_PLUGIN_FAILURE;
    ss_instance_t *instance = NULL;

    if (state != NULL)
        instance = state->bridge->open(state->inner, params, &result);
    if (rc != NULL)
        *rc = result;
    return instance;
}

void forward_close(ss_plugin_t *s, ss_instance_t *h)
{
    const struct state *state = live(s);

    if (state != NULL && h != NULL)
        state->bridge->close(state->inner, h);
}

const char *forward_list_open_params(ss_plugin_t *s, ss_plugin_rc *rc)
{
    const struct state *state = live(s);
    ss_plugin_rc result = SS_PLUGIN_FAILURE;
    const char *params = NULL;

    if (state != NULL)
        params = state->bridge->list_open_params(state->inner, &result);
    if (rc != NULL)
        *rc = result;
    return text(params);
}

const char *forward_get_progress(ss_plugin_t *s, ss_instance_t *h, uint32_t *progress_pct)
{
    const struct state *state = live(s);
    uint32_t progress = 0;
    const char *label = NULL;

    if (state != NULL && h != NULL)
        label = state->bridge->get_progress(state->inner, h, &progress);
    if (progress_pct != NULL)
        *progress_pct = progress;
    return text(label);
}

const char *forward_event_to_string(ss_plugin_t *s, const ss_plugin_event_input *evt)
{
    const struct state *state = live(s);

    return state != NULL && evt != NULL ? text(state->bridge->event_to_string(state->inner, evt))
                                        : "";
}

ss_plugin_rc forward_next_batch(ss_plugin_t *s, ss_instance_t *h, uint32_t *nevts,
                                ss_plugin_event ***evts)
{
    const struct state *state = live(s);
    uint32_t count = 0;
    ss_plugin_event **events = NULL;
    ss_plugin_rc result = SS_PLUGIN_FAILURE;

    /* The host keeps *nevts between calls: left alone, it would replay a batch. */
    if (state != NULL && h != NULL && nevts != NULL && evts != NULL)
        result = state->bridge->next_batch(state->inner, h, &count, &events);
    if (nevts != NULL)
        *nevts = count;
    if (evts != NULL)
        *evts = events;
    return result;
}

ss_plugin_rc forward_extract_fields(ss_plugin_t *s, const ss_plugin_event_input *evt,
                                    const ss_plugin_field_extract_input *in)
{
    const struct state *state = live(s);

    /* The bridge writes every field itself; this path is the hot one. */
    if (state != NULL && evt != NULL && in != NULL)
        return state->bridge->extract_fields(state->inner, evt, in);
    for (uint32_t i = 0; in != NULL && in->fields != NULL && i < in->num_fields; i++) {
        in->fields[i].res.str = NULL;
        in->fields[i].res_len = 0;
    }
    return SS_PLUGIN_FAILURE;
}

ss_plugin_rc forward_parse_event(ss_plugin_t *s, const ss_plugin_event_input *evt,
                                 const ss_plugin_event_parse_input *in)
{
    const struct state *state = live(s);

    return state != NULL && evt != NULL && in != NULL
               ? state->bridge->parse_event(state->inner, evt, in)
               : SS_PLUGIN_FAILURE;
}

ss_plugin_rc forward_set_async_event_handler(ss_plugin_t *s, ss_plugin_owner_t *owner,
                                             const ss_plugin_async_event_handler_t handler)
{
    const struct state *state = live(s);

    if (state != NULL)
        return state->bridge->set_async_event_handler(state->inner, owner, handler);
    /* Hosts switch it off also where it never was on. */
    return handler == NULL ? SS_PLUGIN_SUCCESS : SS_PLUGIN_FAILURE;
}

ss_plugin_rc forward_dump_state(ss_plugin_t *s, ss_plugin_owner_t *owner,
                                const ss_plugin_async_event_handler_t handler)
{
    const struct state *state = live(s);

    return state != NULL && handler != NULL
               ? state->bridge->dump_state(state->inner, owner, handler)
               : SS_PLUGIN_FAILURE;
}

ss_plugin_rc forward_set_config(ss_plugin_t *s, const ss_plugin_set_config_input *in)
{
    const struct state *state = live(s);

    return state != NULL && in != NULL ? state->bridge->set_config(state->inner, in)
                                       : SS_PLUGIN_FAILURE;
}

ss_plugin_metric *forward_get_metrics(ss_plugin_t *s, uint32_t *num_metrics)
{
    const struct state *state = live(s);
    uint32_t count = 0;
    ss_plugin_metric *metrics = NULL;

    if (state != NULL)
        metrics = state->bridge->get_metrics(state->inner, &count);
    if (num_metrics != NULL)
        *num_metrics = metrics != NULL ? count : 0;
    return metrics;
}

ss_plugin_rc forward_capture_open(ss_plugin_t *s, const ss_plugin_capture_listen_input *in)
{
    const struct state *state = live(s);

    return state != NULL && in != NULL ? state->bridge->capture_open(state->inner, in)
                                       : SS_PLUGIN_FAILURE;
}

ss_plugin_rc forward_capture_close(ss_plugin_t *s, const ss_plugin_capture_listen_input *in)
{
    const struct state *state = live(s);

    /* Hosts close also where opening failed. */
    return state != NULL && in != NULL ? state->bridge->capture_close(state->inner, in)
                                       : SS_PLUGIN_SUCCESS;
}
