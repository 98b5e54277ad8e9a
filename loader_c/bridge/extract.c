/* SPDX-License-Identifier: Apache-2.0
 *
 * plugin_extract_fields: a table look-up on the engine thread, without the GIL, for what
 * the source thread computed ahead; one acquisition of the GIL per event otherwise, which
 * computes everything the host has been seen to ask for.
 */
#include <stdlib.h>
#include <string.h>

#include "host_link.h"
#include "state.h"

/* Computes the requests [0, count) of `event` that `known` does not hold. GIL. */
static void compute_all(struct plugin_state *state, PyObject *event, struct arena *arena,
                        struct cell *cells, uint32_t count, const struct cell *known,
                        uint32_t known_count) {
    PyObject *json = NULL;
    for (uint32_t number = 0; number < count; number++) {
        struct request *request = &state->requests.requests[number];
        struct field *field = &state->fields.fields[request->field_id];
        if (!field->cached) continue;
        if (number < known_count && known[number].state != CELL_UNSET) {
            cells[number] = known[number];
            continue;
        }
        PyObject *argument;
        bool undecoded = json == NULL;
        if (request_argument(request, &argument) == 0 &&
            field_compute(&state->fields, field, event, &json, argument, arena,
                          &cells[number]) == 0) {
            continue;
        }
        cells[number].state = CELL_NONE;
        if (undecoded && json == Py_None) {
            state_decode_error(state);
        } else {
            state_field_error(state, field);
        }
    }
    Py_XDECREF(json);
}

struct event_slot *slot_new(struct plugin_state *state, PyObject *event, struct arena *arena) {
    uint32_t count = atomic_load_explicit(&state->requests.count, memory_order_acquire);
    struct event_slot *slot =
        arena_zalloc(arena, sizeof *slot + (size_t)count * sizeof *slot->cells);
    if (slot == NULL) return NULL;
    atomic_init(&slot->late, NULL);
    slot->cell_count = count;
    compute_all(state, event, arena, slot->cells, count, NULL, 0);
    return slot;
}

static const struct cell *known_cell(const struct event_slot *slot, int number) {
    if ((uint32_t)number < slot->cell_count && slot->cells[number].state != CELL_UNSET) {
        return &slot->cells[number];
    }
    const struct late_cells *late = atomic_load_explicit(&slot->late, memory_order_acquire);
    if (late != NULL && (uint32_t)number < late->count &&
        late->cells[number].state != CELL_UNSET) {
        return &late->cells[number];
    }
    return NULL;
}

/* With `compute`. All learned fields of the event, in one go. */
static struct late_cells *compute_late(struct plugin_state *state,
                                       const ss_plugin_event_input *input, struct arena *arena,
                                       const struct cell *known, uint32_t known_count) {
    uint32_t count = atomic_load_explicit(&state->requests.count, memory_order_acquire);
    struct late_cells *late =
        arena_zalloc(arena, sizeof *late + (size_t)count * sizeof *late->cells);
    if (late == NULL) return NULL;
    late->count = count;
    PyGILState_STATE gil = gil_enter();
    PyObject *event = event_from_input(state, input);
    if (event == NULL) {
        state_log_python_error(state, SS_PLUGIN_LOG_SEV_ERROR, "an event cannot be read");
        for (uint32_t i = 0; i < count; i++) late->cells[i].state = CELL_NONE;
    } else {
        compute_all(state, event, arena, late->cells, count, known, known_count);
        Py_DECREF(event);
    }
    gil_leave(gil);
    return late;
}

/* With `compute`. A pair that is not memoised: the field asks for that, or the table is full. */
static bool compute_alone(struct plugin_state *state, const ss_plugin_event_input *input,
                          const ss_plugin_field_extract_input *in, struct field *field,
                          const ss_plugin_extract_field *asked, struct arena *arena,
                          struct cell *cell) {
    struct request once = {.argument = asked->arg_present ? field->argument : ARGUMENT_NONE,
                           .index = asked->arg_index,
                           .key = (char *)asked->arg_key};
    if (once.argument == ARGUMENT_KEY && once.key == NULL) return false;
    PyGILState_STATE gil = gil_enter();
    PyObject *event = event_from_input(state, input);
    PyObject *argument, *json = NULL;
    int rc = -1;
    if (event != NULL && request_argument(&once, &argument) == 0) {
        /* Only here is the host's table reader at hand, and ours to use. */
        host_link_set_extracting(state->link, in);
        rc = field_compute(&state->fields, field, event, &json, argument, arena, cell);
        host_link_set_extracting(state->link, NULL);
    }
    if (rc != 0) state_field_error(state, field);
    Py_XDECREF(once.argument_object);
    Py_XDECREF(json);
    Py_XDECREF(event);
    gil_leave(gil);
    return rc == 0;
}

/* With `compute`. The memo of a foreign event, emptied when it is another one than before.
 * `begun`: this call of the host has used it already, and holds what is in it. */
static struct foreign_memo *foreign_memo(struct plugin_state *state,
                                         const ss_plugin_event_input *input, bool begun) {
    struct foreign_memo *memo = &state->foreign;
    ss_plugin_event header;
    memcpy(&header, input->evt, sizeof header);
    /* Number 0 is "not numbered": nothing tells such events apart. */
    bool same = memo->valid && input->evtnum != 0 && memo->event == input->evt &&
                memo->number == input->evtnum && memo->ts == header.ts &&
                memo->length == header.len;
    if (!same && !begun) {
        arena_reset(&memo->arena);
        memo->cells = NULL;
        memo->valid = true;
        memo->event = input->evt;
        memo->number = input->evtnum;
        memo->ts = header.ts;
        memo->length = header.len;
    }
    return memo;
}

static struct cell on_miss(struct plugin_state *state, const ss_plugin_event_input *input,
                           const ss_plugin_field_extract_input *in, struct event_slot *slot,
                           struct arena *late_arena, struct field *field,
                           const ss_plugin_extract_field *asked, int number, bool begun) {
    struct cell result = {.state = CELL_NONE};
    (void)pthread_mutex_lock(&state->compute);
    struct foreign_memo *memo = slot == NULL ? foreign_memo(state, input, begun) : NULL;
    struct arena *arena = slot != NULL ? late_arena : &memo->arena;
    if (number == REQUEST_NONE || !field->cached) {
        if (!compute_alone(state, input, in, field, asked, arena, &result)) {
            result = (struct cell){.state = CELL_NONE};
        }
    } else if (slot != NULL) {
        const struct cell *known = known_cell(slot, number);
        if (known == NULL) {
            const struct late_cells *before = atomic_load(&slot->late);
            struct late_cells *late =
                before != NULL
                    ? compute_late(state, input, arena, before->cells, before->count)
                    : compute_late(state, input, arena, slot->cells, slot->cell_count);
            if (late != NULL) {
                atomic_store_explicit(&slot->late, late, memory_order_release);
                known = &late->cells[number];
            }
        }
        if (known != NULL) result = *known;
    } else {
        struct late_cells *cells = memo->cells;
        if (cells == NULL || (uint32_t)number >= cells->count) {
            cells = compute_late(state, input, arena, cells != NULL ? cells->cells : NULL,
                                 cells != NULL ? cells->count : 0);
            if (cells != NULL) memo->cells = cells;
        }
        if (cells != NULL) result = cells->cells[number];
    }
    (void)pthread_mutex_unlock(&state->compute);
    return result;
}

static struct event_slot *find_slot(struct plugin_state *state, const ss_plugin_event *event,
                                    struct arena **late) {
    for (int i = 0; i < STATE_SOURCES; i++) {
        struct event_source *source = atomic_load_explicit(&state->sources[i],
                                                           memory_order_acquire);
        struct event_slot *slot =
            source != NULL ? queue_slot(source_queue(source), event, late) : NULL;
        if (slot != NULL) return slot;
    }
    return NULL;
}

/* (3.11) The host reads one start and one length a value, whatever the header says about
 * arrays of num_fields: zeroed ones long enough for both. {0, 0} is "no offset". */
static void clear_offsets(struct plugin_state *state, const ss_plugin_field_extract_input *in) {
    static uint32_t zeros[256];
    size_t needed = in->num_fields;
    size_t values = 0;
    for (uint32_t i = 0; i < in->num_fields; i++) values += in->fields[i].res_len;
    if (values > needed) needed = values;
    uint32_t *offsets = zeros;
    if (needed > sizeof zeros / sizeof *zeros) {
        (void)pthread_mutex_lock(&state->compute);
        if (needed > state->returned.offsets_size) {
            uint32_t *grown = calloc(needed, sizeof *grown);
            free(state->returned.offsets);
            state->returned.offsets = grown;
            state->returned.offsets_size = grown != NULL ? needed : 0;
        }
        offsets = state->returned.offsets;
        (void)pthread_mutex_unlock(&state->compute);
    }
    in->value_offsets->start = offsets; /* NULL: unsupported */
    in->value_offsets->length = offsets;
}

ss_plugin_rc entry_extract_fields(ss_plugin_t *s, const ss_plugin_event_input *evt,
                                  const ss_plugin_field_extract_input *in) {
    struct plugin_state *state = (struct plugin_state *)s;
    if (in == NULL) return SS_PLUGIN_FAILURE;
    for (uint32_t i = 0; i < in->num_fields; i++) {
        in->fields[i].res.str = NULL;
        in->fields[i].res_len = 0;
    }
    bool wants_offsets = state != NULL && state->api_minor >= 11 && in->value_offsets != NULL;
    if (wants_offsets) {
        in->value_offsets->start = NULL;
        in->value_offsets->length = NULL;
    }
    if (state == NULL || state->instance == NULL || evt == NULL || evt->evt == NULL) {
        if (state != NULL) state_set_error(state, "extract_fields: no event, or not initialised");
        return SS_PLUGIN_FAILURE;
    }
    struct arena *late_arena = NULL;
    struct event_slot *slot = find_slot(state, evt->evt, &late_arena);
    for (uint32_t i = 0; i < in->num_fields; i++) {
        ss_plugin_extract_field *asked = &in->fields[i];
        if (asked->field_id >= state->fields.count) {
            state_set_error(state, "extract_fields: there is no field of that id");
            return SS_PLUGIN_FAILURE;
        }
        struct field *field = &state->fields.fields[asked->field_id];
        int number = request_find(&state->requests, field, asked);
        const struct cell *known =
            slot != NULL && number != REQUEST_NONE ? known_cell(slot, number) : NULL;
        struct cell cell =
            known != NULL
                ? *known
                : on_miss(state, evt, in, slot, late_arena, field, asked, number, i > 0);
        if (cell.state == CELL_VALUE) {
            asked->res.str = cell.values;
            asked->res_len = cell.count;
        }
    }
    if (wants_offsets) clear_offsets(state, in);
    return SS_PLUGIN_SUCCESS;
}
