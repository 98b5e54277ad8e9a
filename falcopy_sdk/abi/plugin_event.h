/* SPDX-License-Identifier: Apache-2.0
 *
 * The event header of the Falco plugin API (plugin_types.h, ss_plugin_event).
 * Readable by a C compiler and by cffi alike: no conditionals, no includes. The
 * reader packs it to 1 byte; C code includes it through falcopy_abi.h.
 *
 * What follows the header, packed as well: `nparams` lengths (uint32_t for the
 * two event types below), then the parameters back to back. `len` counts it all.
 */

/* Event types (libs driver/ppm_events_public.h). Parameters of PLUGINEVENT: plugin id
 * (uint32_t), payload. Of ASYNCEVENT: plugin id, name with its NUL, payload. */
#define PPME_PLUGINEVENT_E 322
#define PPME_ASYNCEVENT_E 402

struct ss_plugin_event {
    uint64_t ts;  /* ns since the epoch; UINT64_MAX: the host's clock */
    uint64_t tid; /* UINT64_MAX: none */
    uint32_t len;
    uint16_t type;
    uint32_t nparams;
};
typedef struct ss_plugin_event ss_plugin_event;
