/* SPDX-License-Identifier: Apache-2.0
 *
 * `Feed`: the producer's end of a source's queue, for falcopy_sdk.runtime.source.
 */
#include "source.h"

#include "host_link.h"

enum { MAX_PAYLOAD = 16 * 1024 * 1024 /* bytes; larger events have killed hosts */ };

struct feed {
    PyObject_HEAD
    struct event_source *source; /* NULL once cut */
    uint64_t refused;
    unsigned long interruptible; /* the thread that runs the author's code; 0: not now */
    bool interrupted;
};

PyObject *feed_new(struct event_source *source) {
    struct feed *feed = PyObject_New(struct feed, &feed_type);
    if (feed == NULL) return NULL;
    feed->source = source;
    feed->refused = 0;
    feed->interruptible = 0;
    feed->interrupted = false;
    return (PyObject *)feed;
}

void feed_cut(PyObject *feed) { ((struct feed *)feed)->source = NULL; }

static void feed_dealloc(PyObject *self) { Py_TYPE(self)->tp_free(self); }

static struct event_source *source_of(PyObject *self) {
    struct event_source *source = ((struct feed *)self)->source;
    if (source == NULL) PyErr_SetString(PyExc_RuntimeError, "the event source is closed");
    return source;
}

/* One bad event is told once and passed over: it must not stop those behind it. */
static void refuse(struct feed *feed, struct plugin_state *state) {
    if (feed->refused++ == 0) {
        state_log_python_error(state, SS_PLUGIN_LOG_SEV_ERROR,
                               "the source gave something that is no event; it is passed over "
                               "(further cases are only counted)");
    } else {
        PyErr_Clear();
    }
}

enum { ADDED = 0, REFUSED = -1, NO_MEMORY = -2 };

/* Unless it is ADDED, with an exception set. */
static int add_event(struct plugin_state *state, struct batch *batch, PyObject *event) {
    PyObject *data = PyObject_GetAttr(event, name_data);
    PyObject *ts = data != NULL ? PyObject_GetAttr(event, name_ts) : NULL;
    int rc = REFUSED;
    uint64_t nanoseconds = UINT64_MAX; /* the host's clock */
    if (ts != NULL && ts != Py_None) nanoseconds = PyLong_AsUnsignedLongLong(ts);
    if (ts == NULL || PyErr_Occurred()) {
        /* as it says */
    } else if (!PyBytes_Check(data)) {
        PyErr_Format(PyExc_TypeError, "Event.data is bytes, not %.100s", Py_TYPE(data)->tp_name);
    } else if (PyBytes_GET_SIZE(data) > MAX_PAYLOAD) {
        PyErr_Format(PyExc_ValueError, "an event of %zd bytes is larger than %d",
                     PyBytes_GET_SIZE(data), MAX_PAYLOAD);
    } else {
        uint32_t size = (uint32_t)PyBytes_GET_SIZE(data);
        ss_plugin_event *bytes =
            event_new(&batch->arena, nanoseconds, PyBytes_AS_STRING(data), size);
        struct event_slot *slot = bytes != NULL ? slot_new(state, event, &batch->arena) : NULL;
        if (slot == NULL) {
            PyErr_NoMemory();
            rc = NO_MEMORY;
        } else {
            batch->events[batch->count] = bytes;
            batch->slots[batch->count] = slot;
            batch->count++;
            batch->bytes += size;
            rc = ADDED;
        }
    }
    Py_XDECREF(data);
    Py_XDECREF(ts);
    return rc;
}

static PyObject *feed_publish(PyObject *self, PyObject *arguments) {
    PyObject *events, *delivered;
    Py_ssize_t at;
    if (!PyArg_ParseTuple(arguments, "O!nO", &PyList_Type, &events, &at, &delivered)) return NULL;
    struct event_source *source = source_of(self);
    if (source == NULL) return NULL;
    while (at >= 0 && at < PyList_GET_SIZE(events)) {
        bool full;
        struct batch *batch = queue_fill(&source->queue, &full);
        if (batch == NULL) {
            if (full || queue_closing(&source->queue)) return PyLong_FromSsize_t(at);
            return PyErr_NoMemory();
        }
        int rc = add_event(source->state, batch, PyList_GET_ITEM(events, at));
        queue_commit(&source->queue);
        /* The event is not at fault: passing over it would acknowledge what was never given. */
        if (rc == NO_MEMORY) return NULL;
        if (rc == REFUSED) refuse((struct feed *)self, source->state);
        at++;
    }
    if (delivered != Py_None && queue_on_delivered(&source->queue, delivered) != 0) return NULL;
    return PyLong_FromSsize_t(at);
}

static PyObject *feed_take_delivered(PyObject *self, PyObject *ignored) {
    (void)ignored;
    struct feed *feed = (struct feed *)self;
    struct event_source *source = source_of(self);
    if (source == NULL) return NULL;
    /* The exception on its way would be raised before the caller has hold of the callbacks. */
    if (feed->interruptible != 0 && feed->interrupted) return PyList_New(0);
    PyObject *due = queue_take_delivered(&source->queue);
    if (due != NULL && PyList_GET_SIZE(due) > 0) feed->interruptible = 0;
    return due;
}

static PyObject *feed_allow_interrupt(PyObject *self, PyObject *ignored) {
    (void)ignored;
    struct feed *feed = (struct feed *)self;
    /* In one go under the GIL: who closes first marks the queue and interrupts later, so either
     * that is seen here or the interruption finds the thread. */
    bool allowed = feed->source != NULL && !queue_closing(&feed->source->queue);
    if (allowed) feed->interruptible = PyThread_get_thread_ident();
    return PyBool_FromLong(allowed);
}

static PyObject *feed_forbid_interrupt(PyObject *self, PyObject *ignored) {
    (void)ignored;
    ((struct feed *)self)->interruptible = 0;
    Py_RETURN_NONE;
}

/* ctypes.pythonapi, the usual way to this call, does not exist in a private interpreter. */
static PyObject *feed_interrupt(PyObject *self, PyObject *exception) {
    struct feed *feed = (struct feed *)self;
    if (feed->interruptible == 0) Py_RETURN_FALSE;
    feed->interrupted = true;
    return PyBool_FromLong(PyThreadState_SetAsyncExc(feed->interruptible, exception) == 1);
}

static PyObject *wait_with(PyObject *self, PyObject *argument,
                           bool (*wait)(struct event_queue *, long)) {
    double seconds = PyFloat_AsDouble(argument);
    if (seconds < 0 && PyErr_Occurred()) return NULL;
    if (!(seconds > 0)) seconds = 0; /* not a number, too */
    struct event_source *source = source_of(self);
    if (source == NULL) return NULL;
    long milliseconds = seconds > 86400 ? 86400000 : (long)(seconds * 1000);
    bool result;
    Py_BEGIN_ALLOW_THREADS
    result = wait(&source->queue, milliseconds);
    Py_END_ALLOW_THREADS
    return PyBool_FromLong(result);
}

static PyObject *feed_wait_space(PyObject *self, PyObject *seconds) {
    return wait_with(self, seconds, queue_wait_space);
}

static PyObject *feed_wait_drained(PyObject *self, PyObject *seconds) {
    return wait_with(self, seconds, queue_wait_drained);
}

static PyObject *feed_sleep(PyObject *self, PyObject *seconds) {
    return wait_with(self, seconds, queue_sleep);
}

static PyObject *feed_fileno(PyObject *self, PyObject *ignored) {
    (void)ignored;
    struct event_source *source = source_of(self);
    return source != NULL ? PyLong_FromLong(source->queue.wake_fd) : NULL;
}

static PyObject *feed_closing(PyObject *self, void *closure) {
    (void)closure;
    struct event_source *source = ((struct feed *)self)->source;
    return PyBool_FromLong(source == NULL || queue_closing(&source->queue));
}

static PyMethodDef methods[] = {
    {"publish", feed_publish, METH_VARARGS,
     "publish(events: list[Event], start: int, delivered) -> int\n\n"
     "Queues events[start:] and returns the index of the first one that found no room.\n"
     "`delivered` (a callable or None) is registered once all are in. Never blocks."},
    {"take_delivered", feed_take_delivered, METH_NOARGS,
     "take_delivered() -> list of callables whose events the host has finished with.\n\n"
     "Unless it is empty, interrupt() is forbidden from here on."},
    {"allow_interrupt", feed_allow_interrupt, METH_NOARGS,
     "allow_interrupt() -> bool: lets interrupt() reach the calling thread; False, and not so, "
     "when the source is closing."},
    {"forbid_interrupt", feed_forbid_interrupt, METH_NOARGS,
     "forbid_interrupt(): an interruption on its way is raised at once, none comes later."},
    {"interrupt", feed_interrupt, METH_O,
     "interrupt(exception: type) -> bool\n\n"
     "Raises the exception in the source's thread before its next line of Python, if allowed."},
    {"wait_space", feed_wait_space, METH_O,
     "wait_space(seconds) -> bool: until there is room, a callback is due or close."},
    {"wait_drained", feed_wait_drained, METH_O,
     "wait_drained(seconds) -> bool: until the host has finished with every event."},
    {"sleep", feed_sleep, METH_O,
     "sleep(seconds) -> bool: whether the source is closing; earlier when a callback is due."},
    {"fileno", feed_fileno, METH_NOARGS,
     "fileno() -> int: readable when there is room again or a callback is due."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef getters[] = {
    {"closing", feed_closing, NULL, "Whether the host is closing the source.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyTypeObject feed_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "falcopy_sdk.runtime._bridge.Feed",
    .tp_basicsize = sizeof(struct feed),
    .tp_dealloc = feed_dealloc,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_doc = "The producer's end of an open event source.",
    .tp_methods = methods,
    .tp_getset = getters,
};
