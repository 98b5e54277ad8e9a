/* SPDX-License-Identifier: Apache-2.0
 *
 * The one interface between the loader (stage 0, no Python) and the bridge
 * (stage 1, linked to the private libpython), and between the in-process host
 * harness and the bridge. The loader dlopens the bridge and looks up only
 * falcopy_bridge_boot().
 */
#ifndef FALCOPY_BRIDGE_H
#define FALCOPY_BRIDGE_H

#include <stddef.h>
#include <stdint.h>

#include "falcopy_abi.h"

#define FALCOPY_BRIDGE_VERSION 1u

/* The stateful entries of the plugin API; every member is always set. `state`
 * is what init returned: never NULL, also when init failed (then *rc is not
 * SUCCESS, get_last_error tells why, and destroy must still be called).
 * Static facts are not here: the loader serves them from its image. */
struct falcopy_bridge {
    uint32_t version; /* FALCOPY_BRIDGE_VERSION */
    uint32_t size;    /* sizeof(struct falcopy_bridge) */
    /* `plugin_ref` is "module:Class". `api_version` is what the plugin declares
     * to the host; nothing newer is read from a host struct. */
    ss_plugin_t *(*init)(const char *plugin_ref, const char *api_version,
                         const ss_plugin_init_input *in, ss_plugin_rc *rc);
    void (*destroy)(ss_plugin_t *s);
    const char *(*get_last_error)(ss_plugin_t *s);
    ss_instance_t *(*open)(ss_plugin_t *s, const char *params, ss_plugin_rc *rc);
    void (*close)(ss_plugin_t *s, ss_instance_t *h);
    const char *(*list_open_params)(ss_plugin_t *s, ss_plugin_rc *rc);
    const char *(*get_progress)(ss_plugin_t *s, ss_instance_t *h, uint32_t *progress_pct);
    const char *(*event_to_string)(ss_plugin_t *s, const ss_plugin_event_input *evt);
    ss_plugin_rc (*next_batch)(ss_plugin_t *s, ss_instance_t *h, uint32_t *nevts,
                               ss_plugin_event ***evts);
    ss_plugin_rc (*extract_fields)(ss_plugin_t *s, const ss_plugin_event_input *evt,
                                   const ss_plugin_field_extract_input *in);
    ss_plugin_rc (*parse_event)(ss_plugin_t *s, const ss_plugin_event_input *evt,
                                const ss_plugin_event_parse_input *in);
    ss_plugin_rc (*set_async_event_handler)(ss_plugin_t *s, ss_plugin_owner_t *owner,
                                            ss_plugin_async_event_handler_t handler);
    ss_plugin_rc (*dump_state)(ss_plugin_t *s, ss_plugin_owner_t *owner,
                               ss_plugin_async_event_handler_t handler);
    ss_plugin_rc (*set_config)(ss_plugin_t *s, const ss_plugin_set_config_input *in);
    ss_plugin_metric *(*get_metrics)(ss_plugin_t *s, uint32_t *num_metrics);
    ss_plugin_rc (*capture_open)(ss_plugin_t *s, const ss_plugin_capture_listen_input *in);
    ss_plugin_rc (*capture_close)(ss_plugin_t *s, const ss_plugin_capture_listen_input *in);
};

/* Starts the private interpreter once per process (later calls, from any
 * thread, return the same table) and never stops it.
 *   root   the unpacked folder; the standard library is in root/lib/pythonX.Y,
 *          packages in root/site-packages. Copied.
 *   error  receives a sentence on failure, NUL-terminated, at most `size` bytes.
 * Returns the table, or NULL with `error` written. A failed start may be retried. */
const struct falcopy_bridge *falcopy_bridge_boot(const char *root, char *error, size_t size);

#define FALCOPY_BRIDGE_BOOT_SYMBOL "falcopy_bridge_boot"

#endif
