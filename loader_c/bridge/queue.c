/* SPDX-License-Identifier: Apache-2.0 */
#include "queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

static struct timespec deadline_in(long milliseconds) {
    struct timespec at;
    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += milliseconds / 1000;
    at.tv_nsec += milliseconds % 1000 * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    return at;
}

int queue_init(struct event_queue *queue) {
    memset(queue, 0, sizeof *queue);
    atomic_init(&queue->held, NULL);
    queue->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (queue->wake_fd < 0) return errno;
    pthread_condattr_t monotonic;
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&queue->for_consumer, &monotonic);
    (void)pthread_cond_init(&queue->for_producer, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    (void)pthread_mutex_init(&queue->lock, NULL);
    return 0;
}

static void batch_free(struct batch *batch) {
    while (batch != NULL) {
        struct batch *next = batch->next;
        Py_XDECREF(batch->delivered);
        arena_free(&batch->arena);
        arena_free(&batch->late);
        free(batch);
        batch = next;
    }
}

void queue_free(struct event_queue *queue) {
    batch_free(queue->free);
    batch_free(queue->open);
    batch_free(queue->ready);
    batch_free(atomic_load(&queue->held));
    for (size_t i = 0; i < queue->done_count; i++) Py_DECREF(queue->done[i]);
    free(queue->done);
    (void)close(queue->wake_fd);
    (void)pthread_mutex_destroy(&queue->lock);
    (void)pthread_cond_destroy(&queue->for_consumer);
    (void)pthread_cond_destroy(&queue->for_producer);
}

/* With the lock. */
static void wake_producer(struct event_queue *queue) {
    uint64_t one = 1;
    ssize_t written = write(queue->wake_fd, &one, sizeof one);
    (void)written; /* EAGAIN: it is readable already */
    (void)pthread_cond_broadcast(&queue->for_producer);
}

/* With the lock. Room for one more list in `done`, made where failing is still possible. */
static int reserve_done(struct event_queue *queue, size_t more) {
    size_t needed = queue->done_count + more;
    if (needed <= queue->done_capacity) return 0;
    size_t capacity = needed * 2;
    PyObject **grown = realloc(queue->done, capacity * sizeof *grown);
    if (grown == NULL) return -1;
    queue->done = grown;
    queue->done_capacity = capacity;
    return 0;
}

/* With the lock. */
static void seal_open(struct event_queue *queue) {
    struct batch *batch = queue->open;
    queue->open = NULL;
    batch->next = NULL;
    if (queue->ready == NULL) {
        queue->ready = batch;
    } else {
        queue->ready_last->next = batch;
    }
    queue->ready_last = batch;
    queue->ready_count++;
    /* Once is enough: until it has woken, further events go on filling a batch. */
    queue->consumer_waits = false;
    (void)pthread_cond_signal(&queue->for_consumer);
}

/* With the lock. */
static bool has_space(struct event_queue *queue) { return queue->ready_count < QUEUE_BATCHES; }

struct batch *queue_fill(struct event_queue *queue, bool *full) {
    struct batch *batch = NULL;
    (void)pthread_mutex_lock(&queue->lock);
    *full = !has_space(queue);
    if (*full) queue->wake_producer = true;
    if (!*full && !queue->closing) {
        batch = queue->open;
        if (batch == NULL) {
            batch = queue->free;
            if (batch != NULL) {
                queue->free = batch->next;
                batch->next = NULL;
            } else {
                batch = calloc(1, sizeof *batch);
            }
            if (batch != NULL) batch->serial = ++queue->last_serial;
            queue->open = batch;
        }
        queue->filling = batch != NULL;
    }
    (void)pthread_mutex_unlock(&queue->lock);
    return batch;
}

void queue_commit(struct event_queue *queue) {
    (void)pthread_mutex_lock(&queue->lock);
    struct batch *batch = queue->open;
    queue->filling = false;
    bool is_full = batch->count == BATCH_EVENTS || batch->bytes >= BATCH_BYTES;
    if (batch->count > 0 && is_full) {
        seal_open(queue);
    } else if (batch->count > 0 && queue->consumer_waits) {
        queue->consumer_waits = false; /* once: it waits a little for what follows */
        (void)pthread_cond_signal(&queue->for_consumer);
    }
    (void)pthread_mutex_unlock(&queue->lock);
}

/* With the lock. */
static struct batch *find_batch(struct event_queue *queue, uint64_t serial) {
    struct batch *batch = atomic_load(&queue->held);
    if (batch != NULL && batch->serial == serial) return batch;
    if (queue->open != NULL && queue->open->serial == serial) return queue->open;
    for (batch = queue->ready; batch != NULL && batch->serial != serial; batch = batch->next) {
    }
    return batch;
}

int queue_on_delivered(struct event_queue *queue, PyObject *callback) {
    PyObject *list = PyList_New(1); /* used when the batch has none yet, or is gone */
    if (list == NULL) return -1;
    PyList_SET_ITEM(list, 0, Py_NewRef(callback));
    int rc = 0;
    (void)pthread_mutex_lock(&queue->lock);
    uint64_t serial = queue->last_serial;
    /* An open batch without events (its first one was refused) delays nothing. */
    if (queue->open != NULL && queue->open->count == 0) serial--;
    struct batch *batch = serial > queue->consumed_serial ? find_batch(queue, serial) : NULL;
    if (batch != NULL && batch->delivered != NULL) {
        rc = PyList_Append(batch->delivered, callback);
    } else if (batch != NULL) {
        batch->delivered = Py_NewRef(list);
    } else if (reserve_done(queue, 1) == 0) {
        queue->done[queue->done_count++] = Py_NewRef(list);
        wake_producer(queue);
    } else {
        rc = -1;
        PyErr_NoMemory();
    }
    (void)pthread_mutex_unlock(&queue->lock);
    Py_DECREF(list);
    return rc;
}

PyObject *queue_take_delivered(struct event_queue *queue) {
    /* First: what rings after this is about callbacks that may not be among those taken. */
    uint64_t ticks;
    ssize_t got = read(queue->wake_fd, &ticks, sizeof ticks);
    (void)got; /* EAGAIN: nobody had rung */
    (void)pthread_mutex_lock(&queue->lock);
    PyObject **done = queue->done;
    size_t count = queue->done_count;
    queue->done = NULL;
    queue->done_count = queue->done_capacity = 0;
    (void)pthread_mutex_unlock(&queue->lock);
    PyObject *result = PyList_New(0);
    for (size_t i = 0; i < count; i++) {
        if (result != NULL) {
            Py_ssize_t end = PyList_GET_SIZE(result);
            if (PyList_SetSlice(result, end, end, done[i]) != 0) Py_CLEAR(result);
        }
        Py_DECREF(done[i]);
    }
    free(done);
    return result;
}

/* With the lock. */
static bool is_drained(struct event_queue *queue) {
    bool open_is_empty = queue->open == NULL || queue->open->count == 0;
    return open_is_empty && queue->ready == NULL && atomic_load(&queue->held) == NULL;
}

static bool wait_until(struct event_queue *queue, bool (*condition)(struct event_queue *),
                       long timeout_ms) {
    struct timespec deadline = deadline_in(timeout_ms);
    bool met;
    int rc = 0;
    (void)pthread_mutex_lock(&queue->lock);
    while (!(met = condition(queue)) && rc == 0 && !queue->closing && queue->done_count == 0) {
        queue->wake_producer = true;
        rc = pthread_cond_timedwait(&queue->for_producer, &queue->lock, &deadline);
    }
    (void)pthread_mutex_unlock(&queue->lock);
    return met;
}

bool queue_wait_space(struct event_queue *queue, long timeout_ms) {
    return wait_until(queue, has_space, timeout_ms);
}

bool queue_wait_drained(struct event_queue *queue, long timeout_ms) {
    return wait_until(queue, is_drained, timeout_ms);
}

bool queue_sleep(struct event_queue *queue, long timeout_ms) {
    struct timespec deadline = deadline_in(timeout_ms);
    int rc = 0;
    (void)pthread_mutex_lock(&queue->lock);
    while (rc == 0 && !queue->closing && queue->done_count == 0) {
        rc = pthread_cond_timedwait(&queue->for_producer, &queue->lock, &deadline);
    }
    bool closing = queue->closing;
    (void)pthread_mutex_unlock(&queue->lock);
    return closing;
}

void queue_end(struct event_queue *queue, ss_plugin_rc rc) {
    (void)pthread_mutex_lock(&queue->lock);
    queue->ended = true;
    queue->end_rc = rc;
    (void)pthread_cond_broadcast(&queue->for_consumer);
    (void)pthread_mutex_unlock(&queue->lock);
}

/* With the lock: the host has come back, so it has finished with the batch it held. */
static void retire_held(struct event_queue *queue) {
    struct batch *batch = atomic_load(&queue->held);
    if (batch == NULL) return;
    atomic_store(&queue->held, NULL);
    queue->consumed_serial = batch->serial;
    bool due = batch->delivered != NULL;
    if (due && reserve_done(queue, 1) == 0) {
        queue->done[queue->done_count++] = batch->delivered;
        batch->delivered = NULL;
    } else if (due) {
        /* Out of memory: keep the batch and its callbacks with the next one. */
        due = false;
    }
    arena_reset(&batch->arena);
    arena_reset(&batch->late);
    batch->count = 0;
    batch->bytes = 0;
    batch->next = queue->free;
    queue->free = batch;
    if (due || queue->wake_producer) {
        queue->wake_producer = false;
        wake_producer(queue);
    }
}

/* With the lock. */
static struct batch *take_ready(struct event_queue *queue) {
    struct batch *batch = queue->ready;
    if (batch != NULL) {
        queue->ready = batch->next;
        if (queue->ready == NULL) queue->ready_last = NULL;
        batch->next = NULL;
        queue->ready_count--;
        if (queue->wake_producer) {
            queue->wake_producer = false;
            wake_producer(queue);
        }
    } else if (!queue->filling && queue->open != NULL && queue->open->count > 0) {
        batch = queue->open;
        queue->open = NULL;
    }
    return batch;
}

/* With the lock, woken by a first event. More may be on their way: taking each by itself would
 * cost both threads a wake-up an event. */
static void linger(struct event_queue *queue) {
    struct timespec deadline = deadline_in(LINGER_MS);
    int rc = 0;
    while (rc == 0 && queue->ready == NULL && !queue->ended && !queue->closing) {
        rc = pthread_cond_timedwait(&queue->for_consumer, &queue->lock, &deadline);
    }
}

ss_plugin_rc queue_next(struct event_queue *queue, uint32_t *count, ss_plugin_event ***events) {
    *count = 0;
    *events = NULL;
    struct timespec deadline = deadline_in(NEXT_BATCH_WAIT_MS);
    ss_plugin_rc rc = SS_PLUGIN_TIMEOUT;
    struct batch *batch;
    int waited = 0;
    (void)pthread_mutex_lock(&queue->lock);
    retire_held(queue);
    while ((batch = take_ready(queue)) == NULL && !queue->ended && !queue->closing && waited == 0) {
        queue->consumer_waits = true;
        waited = pthread_cond_timedwait(&queue->for_consumer, &queue->lock, &deadline);
        queue->consumer_waits = false;
        if (waited == 0) linger(queue);
    }
    if (batch != NULL) {
        atomic_store(&batch->cursor, 0);
        atomic_store(&queue->held, batch);
        *count = batch->count;
        *events = batch->events;
        rc = SS_PLUGIN_SUCCESS;
    } else if (queue->ended) {
        rc = queue->end_rc;
    }
    (void)pthread_mutex_unlock(&queue->lock);
    return rc;
}

struct event_slot *queue_slot(struct event_queue *queue, const ss_plugin_event *event,
                              struct arena **late) {
    struct batch *batch = atomic_load_explicit(&queue->held, memory_order_acquire);
    if (batch == NULL) return NULL;
    /* Hosts go through a batch in order: it is this event or the next one. */
    uint32_t start = atomic_load_explicit(&batch->cursor, memory_order_relaxed);
    for (uint32_t i = 0; i < batch->count; i++) {
        uint32_t at = start + i < batch->count ? start + i : start + i - batch->count;
        if (batch->events[at] == event) {
            if (i != 0) atomic_store_explicit(&batch->cursor, at, memory_order_relaxed);
            *late = &batch->late;
            return batch->slots[at];
        }
    }
    return NULL;
}

void queue_close(struct event_queue *queue) {
    (void)pthread_mutex_lock(&queue->lock);
    queue->closing = true;
    (void)pthread_cond_broadcast(&queue->for_consumer);
    wake_producer(queue);
    (void)pthread_mutex_unlock(&queue->lock);
}

bool queue_closing(struct event_queue *queue) {
    (void)pthread_mutex_lock(&queue->lock);
    bool closing = queue->closing;
    (void)pthread_mutex_unlock(&queue->lock);
    return closing;
}
