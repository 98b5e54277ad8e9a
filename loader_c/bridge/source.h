/* SPDX-License-Identifier: Apache-2.0
 *
 * An open event source, `ss_instance_t`: a queue, and the thread that fills it by
 * running the author's source.
 */
#ifndef FALCOPY_SOURCE_H
#define FALCOPY_SOURCE_H

#include "queue.h"
#include "state.h"

struct event_source {
    struct plugin_state *state;
    struct event_queue queue;
    PyObject *feed;   /* the Python object below; owned */
    PyObject *driver; /* falcopy_sdk.runtime.source: run(), stop(); owned */
    pthread_t thread;
    bool started;
};

/* `Feed`: what the Python driver of a source publishes through. */
extern PyTypeObject feed_type;
/* New reference; GIL. */
PyObject *feed_new(struct event_source *source);
/* After this the object refuses work; the source may be freed. GIL. */
void feed_cut(PyObject *feed);

#endif
