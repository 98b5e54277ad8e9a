/* SPDX-License-Identifier: Apache-2.0
 *
 * `Emitter`: hands asynchronous events to the host, from any Python thread.
 */
#ifndef FALCOPY_EMITTER_H
#define FALCOPY_EMITTER_H

#include "gil.h"

#include "falcopy_abi.h"

extern PyTypeObject emitter_type;

/* New reference; GIL. */
PyObject *emitter_new(ss_plugin_owner_t *owner, ss_plugin_async_event_handler_t handler);
/* Waits until no call into the host is under way (releasing the GIL) and allows no more. */
void emitter_close(PyObject *emitter);

#endif
