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

/* Copies what it needs of `in` (its structs live on the host's stack). `minor` is that of
 * the declared API version: newer members are not read. New reference. GIL. */
PyObject *host_link_new(const ss_plugin_init_input *in, unsigned minor);

/* Waits for calls under way, then allows no more. GIL (released while waiting). */
void host_link_cut(PyObject *link);

/* Logs `text` with the plugin's name as the component; nothing when there is no logger.
 * Releases the GIL while the host runs. GIL. */
void host_link_log(PyObject *link, ss_plugin_log_severity severity, const char *text);

#endif
