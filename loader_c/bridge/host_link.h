/* SPDX-License-Identifier: Apache-2.0
 *
 * The way back to the host: its logger and its table functions, for Python code.
 * A Python object, so that whoever holds it outlives nothing: after destroy it is cut
 * off and says so instead of calling into a host that has gone.
 */
#ifndef FALCOPY_HOST_LINK_H
#define FALCOPY_HOST_LINK_H

#include "gil.h"

#include "falcopy_abi.h"

extern PyTypeObject host_link_type;

struct plugin_state;

/* Copies what it needs of `in` (its structs live on the host's stack). `state` is the one it
 * belongs to, which cuts it before it ends. New reference. GIL. */
PyObject *host_link_new(const ss_plugin_init_input *in, struct plugin_state *state);

/* What extract_fields was called with, while a field that may use tables is computed; NULL
 * afterwards. GIL. */
void host_link_set_extracting(PyObject *link, const ss_plugin_field_extract_input *in);

/* Waits for calls under way, then allows no more. GIL (released while waiting). */
void host_link_cut(PyObject *link);

/* Logs `text` with the plugin's name as the component; nothing when there is no logger.
 * Releases the GIL while the host runs. GIL. */
void host_link_log(PyObject *link, ss_plugin_log_severity severity, const char *text);

#endif
