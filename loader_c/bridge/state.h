/* SPDX-License-Identifier: Apache-2.0
 *
 * One initialised plugin, `ss_plugin_t`, and what its parts share.
 */
#ifndef FALCOPY_STATE_H
#define FALCOPY_STATE_H

#include "gil.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "arena.h"
#include "falcopy_abi.h"
#include "field.h"
#include "queue.h"
#include "request.h"

enum { STATE_SOURCES = 8 /* open at a time; hosts open one */ };

/* A message for get_last_error(); written from any thread, read by the host. */
struct last_error {
    pthread_mutex_t lock;
    char text[PLUGIN_MAX_ERRLEN];
    char given[PLUGIN_MAX_ERRLEN]; /* what the host holds until it asks again */
};

/* Values of an event that is not in one of our batches: from a capture file, from another
 * plugin, copied by the host. Guarded by plugin_state.compute. */
struct foreign_memo {
    bool valid;
    const ss_plugin_event *event;
    uint64_t number, ts;
    uint32_t length;
    struct arena arena;
    struct late_cells *cells;
};

struct metric_array;

/* Strings and arrays that one entry of the API returned last, valid until its next call. */
struct returned {
    char *open_params, *progress, *event_text;
    struct metric_array *metrics;
    uint32_t *offsets;
    size_t offsets_size;
};

struct event_source;
struct async_events;

struct plugin_state {
    PyObject *instance; /* falcopy_sdk.runtime.instance.Instance; NULL: init failed */
    PyObject *link;     /* HostLink */
    PyObject *received; /* callable(data, ts, num, source) -> Event */
    PyObject *describe; /* callable(exception) -> str, one line */
    bool abandoned;     /* a thread of its own was left behind: nothing may be freed */
    unsigned api_minor; /* of the declared API version, 3.x */
    struct field_table fields;
    struct request_table requests;
    pthread_mutex_t compute; /* the miss path; taken without the GIL, before it */
    struct foreign_memo foreign;
    _Atomic(struct event_source *) sources[STATE_SOURCES];
    struct async_events *async;
    struct returned returned;
    struct last_error error;
    uint64_t decode_errors; /* with the GIL */
};

void state_set_error(struct plugin_state *state, const char *text);
/* From the Python exception that is set, which it clears: "what failed: Type: text". GIL. */
void state_set_error_from_python(struct plugin_state *state, const char *what);
/* The same into a buffer. GIL. */
void describe_python_error(PyObject *describe, const char *what, char *text, size_t size);
/* The same as one log line. GIL. */
void state_log_python_error(struct plugin_state *state, ss_plugin_log_severity severity,
                            const char *what);
/* The first error of a field is logged, the others are counted. Clears the exception. GIL. */
void state_field_error(struct plugin_state *state, struct field *field);
void state_decode_error(struct plugin_state *state);

/* A Python Event for what the host passes in; NULL with an exception set. GIL. */
PyObject *event_from_input(struct plugin_state *state, const ss_plugin_event_input *input);
/* What an event carries for Python: payload and size (event.c). */
const void *event_payload(const ss_plugin_event *event, uint32_t *size);
/* Builds an asynchronous event (402); free() it. NULL: out of memory or too large. */
ss_plugin_event *event_new_async(uint64_t ts, const char *name, const void *data, size_t size);
/* Writes a plugin event (322) into `arena`. */
ss_plugin_event *event_new(struct arena *arena, uint64_t ts, const void *data, uint32_t size);

/* Forgets the values of the last foreign event. Takes `compute`: call without the GIL. */
void state_forget_foreign(struct plugin_state *state);

/* One bit of the Python side: calls instance.NAME(arguments...), format as Py_BuildValue's
 * for a tuple, e.g. "(O)" or "()". New reference; NULL with an exception set. GIL. */
PyObject *state_call(struct plugin_state *state, const char *name, const char *format, ...);

/* The entries of struct falcopy_bridge, by the file that has them. */
/* lifecycle.c */
ss_plugin_t *entry_init(const char *plugin_ref, const char *api_version,
                        const ss_plugin_init_input *in, ss_plugin_rc *rc);
void entry_destroy(ss_plugin_t *s);
/* state.c */
const char *entry_get_last_error(ss_plugin_t *s);
/* source.c */
ss_instance_t *entry_open(ss_plugin_t *s, const char *params, ss_plugin_rc *rc);
void entry_close(ss_plugin_t *s, ss_instance_t *h);
ss_plugin_rc entry_next_batch(ss_plugin_t *s, ss_instance_t *h, uint32_t *nevts,
                              ss_plugin_event ***evts);
struct event_queue *source_queue(struct event_source *source);
/* extract.c */
ss_plugin_rc entry_extract_fields(ss_plugin_t *s, const ss_plugin_event_input *evt,
                                  const ss_plugin_field_extract_input *in);
/* Computes every learned field of a fresh event into its slot. GIL. */
struct event_slot *slot_new(struct plugin_state *state, PyObject *event, struct arena *arena);
/* cold.c */
const char *entry_list_open_params(ss_plugin_t *s, ss_plugin_rc *rc);
const char *entry_get_progress(ss_plugin_t *s, ss_instance_t *h, uint32_t *progress_pct);
const char *entry_event_to_string(ss_plugin_t *s, const ss_plugin_event_input *evt);
ss_plugin_rc entry_parse_event(ss_plugin_t *s, const ss_plugin_event_input *evt,
                               const ss_plugin_event_parse_input *in);
ss_plugin_rc entry_set_config(ss_plugin_t *s, const ss_plugin_set_config_input *in);
ss_plugin_rc entry_capture_open(ss_plugin_t *s, const ss_plugin_capture_listen_input *in);
ss_plugin_rc entry_capture_close(ss_plugin_t *s, const ss_plugin_capture_listen_input *in);
/* metrics.c */
void metric_array_free(struct metric_array *metrics);
ss_plugin_metric *entry_get_metrics(ss_plugin_t *s, uint32_t *num_metrics);
/* async.c */
/* Stops and joins the thread of asynchronous events, if one runs. No GIL. */
void async_stop(struct plugin_state *state);
ss_plugin_rc entry_set_async_event_handler(ss_plugin_t *s, ss_plugin_owner_t *owner,
                                           ss_plugin_async_event_handler_t handler);
ss_plugin_rc entry_dump_state(ss_plugin_t *s, ss_plugin_owner_t *owner,
                              ss_plugin_async_event_handler_t handler);

#endif
