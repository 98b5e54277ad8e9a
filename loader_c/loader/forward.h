/* SPDX-License-Identifier: Apache-2.0
 *
 * The stateful half of the plugin API, forwarded to the bridge.
 *
 * What a host gets as its plugin state is a small one of ours around the
 * bridge's, so that an init that fails before there is a bridge still has a state
 * with an error text. Every entry takes NULL and a failed state, and writes every
 * out-parameter on every path.
 */
#ifndef FALCOPY_LOADER_FORWARD_H
#define FALCOPY_LOADER_FORWARD_H

#include "falcopy_abi.h"

ss_plugin_t *forward_init(const ss_plugin_init_input *in, ss_plugin_rc *rc);
void forward_destroy(ss_plugin_t *s);
const char *forward_get_last_error(ss_plugin_t *s);
ss_instance_t *forward_open(ss_plugin_t *s, const char *params, ss_plugin_rc *rc);
void forward_close(ss_plugin_t *s, ss_instance_t *h);
const char *forward_list_open_params(ss_plugin_t *s, ss_plugin_rc *rc);
const char *forward_get_progress(ss_plugin_t *s, ss_instance_t *h, uint32_t *progress_pct);
const char *forward_event_to_string(ss_plugin_t *s, const ss_plugin_event_input *evt);
ss_plugin_rc forward_next_batch(ss_plugin_t *s, ss_instance_t *h, uint32_t *nevts,
                                ss_plugin_event ***evts);
ss_plugin_rc forward_extract_fields(ss_plugin_t *s, const ss_plugin_event_input *evt,
                                    const ss_plugin_field_extract_input *in);
ss_plugin_rc forward_parse_event(ss_plugin_t *s, const ss_plugin_event_input *evt,
                                 const ss_plugin_event_parse_input *in);
ss_plugin_rc forward_set_async_event_handler(ss_plugin_t *s, ss_plugin_owner_t *owner,
                                             const ss_plugin_async_event_handler_t handler);
ss_plugin_rc forward_dump_state(ss_plugin_t *s, ss_plugin_owner_t *owner,
                                const ss_plugin_async_event_handler_t handler);
ss_plugin_rc forward_set_config(ss_plugin_t *s, const ss_plugin_set_config_input *in);
ss_plugin_metric *forward_get_metrics(ss_plugin_t *s, uint32_t *num_metrics);
ss_plugin_rc forward_capture_open(ss_plugin_t *s, const ss_plugin_capture_listen_input *in);
ss_plugin_rc forward_capture_close(ss_plugin_t *s, const ss_plugin_capture_listen_input *in);

#endif
