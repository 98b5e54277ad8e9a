/* SPDX-License-Identifier: Apache-2.0
 *
 * The bounded queue of event batches between the source thread, which has the
 * GIL, and the engine thread, which never takes it. One producer, one consumer.
 *
 * A batch goes: free -> open (being filled) -> ready -> held (by the host) -> free.
 * The consumer takes the open batch when nothing is ready, so an event never waits
 * for a batch to fill. Callbacks that are due when a batch is done with collect in
 * `done` until the producer, with the GIL, fetches them.
 */
#ifndef FALCOPY_QUEUE_H
#define FALCOPY_QUEUE_H

#include "gil.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "arena.h"
#include "falcopy_abi.h"
#include "field.h"

enum {
    BATCH_EVENTS = 128,          /* what other SDKs hand out at most in one call */
    BATCH_BYTES = 1024 * 1024,   /* a batch is closed at this size */
    QUEUE_BATCHES = 8,           /* ready ones; then the source waits */
    LINGER_MS = 1,               /* after the first event of a batch */
    NEXT_BATCH_WAIT_MS = 30,     /* plugin_api.h, next_batch: return control regularly */
};

/* Cells computed after the event was handed out. */
struct late_cells {
    uint32_t count;
    struct cell cells[];
};

struct event_slot {
    _Atomic(struct late_cells *) late;
    uint32_t cell_count;
    struct cell cells[]; /* by request number */
};

struct batch {
    struct batch *next;
    uint64_t serial;
    size_t bytes;
    struct arena arena; /* events and their cells; the producer's until handed out */
    struct arena late;  /* what the engine thread adds */
    PyObject *delivered; /* list of callables, or NULL */
    atomic_uint cursor;  /* where the engine thread is in `events` */
    uint32_t count;
    ss_plugin_event *events[BATCH_EVENTS];
    struct event_slot *slots[BATCH_EVENTS];
};

struct event_queue {
    pthread_mutex_t lock; /* never held while waiting for the GIL */
    pthread_cond_t for_consumer, for_producer;
    struct batch *free, *open, *ready, *ready_last;
    _Atomic(struct batch *) held;
    unsigned ready_count;
    uint64_t last_serial, consumed_serial;
    bool filling;         /* the producer writes into `open` */
    bool consumer_waits;
    bool wake_producer;   /* it waits for the host to go on */
    bool closing, ended;
    ss_plugin_rc end_rc;
    PyObject **done; /* lists of callables, without the GIL only moved about */
    size_t done_count, done_capacity;
    int wake_fd; /* eventfd: readable when `done` or the space has grown */
};

int queue_init(struct event_queue *queue); /* 0, or errno */
/* Drops what is left, callbacks included: they were not delivered. GIL. */
void queue_free(struct event_queue *queue);

/* Producer. The batch to write one more event into; NULL when closing, full or out of memory
 * (*full tells). Ends with queue_commit(). */
struct batch *queue_fill(struct event_queue *queue, bool *full);
void queue_commit(struct event_queue *queue);
/* Calls for `callback` once the host has finished with every event committed so far. GIL. */
int queue_on_delivered(struct event_queue *queue, PyObject *callback);
/* What is due, as a new list. GIL. */
PyObject *queue_take_delivered(struct event_queue *queue);
/* Waits until there is space, or until the host has finished with every event; not beyond
 * `timeout_ms`, closing or a callback that is due. Returns whether that holds. No GIL. */
bool queue_wait_space(struct event_queue *queue, long timeout_ms);
bool queue_wait_drained(struct event_queue *queue, long timeout_ms);
/* Sleeps, but not beyond closing or a callback that is due. Returns whether the queue is
 * closing. No GIL. */
bool queue_sleep(struct event_queue *queue, long timeout_ms);
void queue_end(struct event_queue *queue, ss_plugin_rc rc);

/* Consumer. As plugin_next_batch(). */
ss_plugin_rc queue_next(struct event_queue *queue, uint32_t *count, ss_plugin_event ***events);
/* The slot of an event that the host holds, NULL if it is not ours. */
struct event_slot *queue_slot(struct event_queue *queue, const ss_plugin_event *event,
                              struct arena **late);

void queue_close(struct event_queue *queue);
bool queue_closing(struct event_queue *queue);

#endif
