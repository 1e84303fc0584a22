/* SPDX-License-Identifier: Apache-2.0 */
/* Who is lost: whom the flood has not passed, and of those who is garbage. */

#include "flood.h"

static void
begin_state(Reach *reach)
{
    for (Py_ssize_t place = 0; place < reach->heap->size; place++) {
        int flags = flags_at(reach, (int32_t)place);
        reach->state[place] = flags & KIND_OURS ? OUT : LEFT;
        reach->acts[place] = flags & KIND_WEAK ? IS_WEAK : 0;
    }
}

static int
leave_out(Reach *reach, PyObject *addresses)
{
    PyObject *number, *iterator = PyObject_GetIter(addresses);
    void *address;
    while (iterator != NULL && (number = PyIter_Next(iterator)) != NULL) {
        int failed = address_from(number, &address) < 0;
        Py_DECREF(number);
        if (failed) {
            break;
        }
        int32_t place = place_of(reach->heap, address);
        if (place != NOWHERE) {
            reach->state[place] = OUT;
        }
    }
    Py_XDECREF(iterator);
    return PyErr_Occurred() ? -1 : 0;
}

static int
build_walls(Reach *reach)
{
    const Heap *heap = reach->heap;
    Places start = {NULL, 0, 0};
    for (Py_ssize_t place = 0; place < heap->size; place++) {
        if (reach->roots[place] && reach->state[place] == LEFT && places_push(&start, (int32_t)place) < 0) {
            places_free(&start);
            return -1;
        }
    }
    for (Py_ssize_t number = 0; number < reach->number; number++) {
        const Blocked *one = &reach->blocked[number];
        int32_t future = place_of(heap, one->future);
        if (future != NOWHERE) {
            reach->acts[future] |= IS_AWAITED;
        }
        if (one->place != NOWHERE) {
            reach->acts[one->place] |= IS_TASK;
            reach->state[one->place] = WALL;
        }
        for (Py_ssize_t at = one->begin; at < one->end; at++) {
            reach->state[reach->suspended.items[at]] = WALL;
        }
    }
    int failed = 0;
    for (Py_ssize_t at = 0; !failed && at < start.size; at++) {
        if (reach->state[start.items[at]] == LEFT) {
            failed = pass_again(reach, start.items[at]) < 0;
        }
    }
    places_free(&start);
    return failed ? -1 : 0;
}

static int
run(Reach *reach)
{
    if (build_walls(reach) < 0) {
        return -1;
    }
    for (Py_ssize_t number = 0; number < reach->number; number++) {
        const Blocked *one = &reach->blocked[number];
        int unknown = 0; /* a future that is no tracked object cannot be judged */
        if (place_of(reach->heap, one->future) == NOWHERE) {
            Py_ssize_t at = first_entry(reach->by_task, reach->number, one->future);
            unknown = at == reach->number || !reach->blocked[reach->by_task[at].number].dead;
        }
        if ((one->bounded || unknown) && revive(reach, number) < 0) {
            return -1;
        }
    }
    return flood(reach);
}

/* Whether a function that is asked once for each object says yes. */
static int
says_yes(PyObject *function, PyObject *one)
{
    PyObject *said = PyObject_CallOneArg(function, one);
    int yes = said == NULL ? -1 : PyObject_IsTrue(said);
    Py_XDECREF(said);
    return yes;
}

/* The place of a task, or of the outermost of its coroutines where it has none. */
static int32_t
first_place(const Reach *reach, const Blocked *one)
{
    if (one->place != NOWHERE || one->begin == one->end) {
        return one->place;
    }
    return reach->suspended.items[one->begin];
}

static int
add_address(PyObject *set, void *address)
{
    PyObject *number = PyLong_FromVoidPtr(address);
    int failed = number == NULL || PySet_Add(set, number) < 0;
    Py_XDECREF(number);
    return failed ? -1 : 0;
}

/* From what is held of the dead tasks on, with no wall respected: what is still `left` then is garbage. */
static int
flood_left(Reach *reach, char *left)
{
    const Heap *heap = reach->heap;
    Places work = {NULL, 0, 0};
    int failed = 0;
    for (Py_ssize_t number = 0; !failed && number < reach->number; number++) {
        const Blocked *one = &reach->blocked[number];
        for (Py_ssize_t at = one->begin - 1; one->dead && !failed && at < one->end; at++) {
            int32_t place = at < one->begin ? one->place : reach->suspended.items[at];
            if (place != NOWHERE && (reach->state[place] == MET || reach->roots[place])) {
                failed = places_push(&work, place) < 0;
            }
        }
    }
    for (Py_ssize_t at = 0; at < work.size; at++) {
        left[work.items[at]] = 0;
    }
    while (!failed && work.size) {
        int32_t place = work.items[--work.size];
        for (int64_t at = begin_of(heap->ends, place); !failed && at < heap->ends[place]; at++) {
            int32_t target = heap->onward[at];
            if (left[target]) {
                left[target] = 0;
                failed = places_push(&work, target) < 0;
            }
        }
    }
    places_free(&work);
    return failed ? -1 : 0;
}

/* Tasks that are garbage. What runs when garbage is collected may still wake others, so that is followed too. */
static int
find_dying(Reach *reach, PyObject *acts_when_collected, PyObject *dying)
{
    const Heap *heap = reach->heap;
    if (reach->dead == 0) {
        return 0;
    }
    char *left = PyMem_RawCalloc((size_t)heap->size + 1, 1);
    if (left == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t place = 0; place < heap->size; place++) {
        left[place] = reach->state[place] == LEFT;
    }
    for (Py_ssize_t number = 0; number < reach->number; number++) {
        const Blocked *one = &reach->blocked[number];
        for (Py_ssize_t at = one->begin - 1; one->dead && at < one->end; at++) {
            int32_t place = at < one->begin ? one->place : reach->suspended.items[at];
            if (place != NOWHERE) {
                left[place] = 1;
            }
        }
    }
    int failed = flood_left(reach, left) < 0;
    for (Py_ssize_t place = 0; !failed && place < heap->size; place++) {
        int acts = left[place] ? says_yes(acts_when_collected, object_at(heap, place)) : 0;
        failed = acts < 0 || (acts > 0 && pass_again(reach, (int32_t)place) < 0);
    }
    for (Py_ssize_t number = 0; !failed && number < reach->number; number++) {
        const Blocked *one = &reach->blocked[number];
        int32_t first = one->dead ? first_place(reach, one) : NOWHERE;
        if (first == NOWHERE || !left[first]) {
            continue;
        }
        failed = add_address(dying, one->task) < 0;
        for (Py_ssize_t at = one->begin + (one->place == NOWHERE); !failed && at < one->end; at++) {
            failed = pass_again(reach, reach->suspended.items[at]) < 0;
        }
    }
    PyMem_RawFree(left);
    return failed || flood(reach) < 0 ? -1 : 0;
}

static PyObject *
answer(Reach *reach, PyObject *acts_when_collected)
{
    PyObject *dead = PySet_New(NULL), *dying = PySet_New(NULL), *found = NULL;
    int failed = dead == NULL || dying == NULL || run(reach) < 0 || find_dying(reach, acts_when_collected, dying) < 0;
    for (Py_ssize_t number = 0; !failed && number < reach->number; number++) {
        failed = reach->blocked[number].dead && add_address(dead, reach->blocked[number].task) < 0;
    }
    if (!failed) {
        found = PyTuple_Pack(2, dead, dying);
    }
    Py_XDECREF(dead);
    Py_XDECREF(dying);
    return found;
}

/* reach(blocked, ours, left_out, tasks, fields, weak, acts_when_collected): addresses of (the dead, the dying). */
PyObject *
heap_reach(Heap *heap, PyObject *args)
{
    PyObject *blocked, *ours, *left_out, *tasks, *fields, *weak, *acts_when_collected, *found = NULL;
    if (!PyArg_ParseTuple(args, "O!O!OO!O!O!O:reach", &PyList_Type, &blocked, &PySet_Type, &ours, &left_out,
                          &PyTuple_Type, &tasks, &PyTuple_Type, &fields, &PyTuple_Type, &weak, &acts_when_collected)) {
        return NULL;
    }
    Reach reach = {.heap = heap};
    size_t room = (size_t)heap->size + 1;
    reach.state = PyMem_RawCalloc(room, 1);
    reach.acts = PyMem_RawCalloc(room, 1);
    reach.roots = PyMem_RawCalloc(room, 1);
    if (reach.state == NULL || reach.acts == NULL || reach.roots == NULL) {
        PyErr_NoMemory();
    }
    else if (heap_find_roots(heap, reach.roots) == 0 && read_kinds(&reach, ours, tasks, fields, weak) == 0) {
        begin_state(&reach);
        if (leave_out(&reach, left_out) == 0 && read_blocked(&reach, blocked) == 0) {
            found = answer(&reach, acts_when_collected);
        }
    }
    PyMem_RawFree(reach.state);
    PyMem_RawFree(reach.acts);
    PyMem_RawFree(reach.roots);
    PyMem_RawFree(reach.flags);
    PyMem_RawFree(reach.blocked);
    PyMem_RawFree(reach.by_task);
    PyMem_RawFree(reach.by_future);
    PyMem_RawFree(reach.revived);
    places_free(&reach.suspended);
    places_free(&reach.work);
    places_free(&reach.finds);
    return found;
}
