/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that leads to some things, layer by layer: `closure.py` in C, in the same order. */

#include "heap.h"

typedef struct {
    Heap *heap;
    PyObject *into;        /* address of a target -> (address of a source -> how often) */
    PyObject *weakly_into; /* address of a target -> [address of a weak reference] */
    PyObject *position;    /* address -> where it is in the picture */
    char *stops, *seen, *placed; /* by position */
    Py_ssize_t met;        /* how many were come upon, things that are not tracked among them */
    PyObject *getweakrefs;
} Closure;

static PyObject *
address_at(const Heap *heap, Py_ssize_t place)
{
    return PyLong_FromVoidPtr(object_at(heap, place));
}

static int
mark_stops(Closure *closure, PyObject *groups)
{
    PyObject *group, *number, *outer = PyObject_GetIter(groups);
    if (outer == NULL) {
        return -1;
    }
    while ((group = PyIter_Next(outer)) != NULL) {
        PyObject *inner = PyObject_GetIter(group);
        Py_DECREF(group);
        while (inner != NULL && (number = PyIter_Next(inner)) != NULL) {
            void *address;
            int failed = address_from(number, &address);
            Py_DECREF(number);
            if (failed) {
                break;
            }
            int32_t place = place_of(closure->heap, address);
            if (place != NOWHERE) {
                closure->stops[place] = 1;
            }
        }
        Py_XDECREF(inner);
        if (PyErr_Occurred()) {
            break;
        }
    }
    Py_DECREF(outer);
    return PyErr_Occurred() ? -1 : 0;
}

static int
set_position(Closure *closure, PyObject *address, int32_t place)
{
    if (closure->placed[place]) {
        return 0;
    }
    closure->placed[place] = 1;
    PyObject *number = PyLong_FromLong(place);
    int failed = number == NULL || PyDict_SetItem(closure->position, address, number) < 0;
    Py_XDECREF(number);
    return failed ? -1 : 0;
}

/* One reference more from `source` in what is known of a target. */
static int
count_source(PyObject *sources, PyObject *source)
{
    PyObject *known = PyDict_GetItemWithError(sources, source);
    if (known == NULL && PyErr_Occurred()) {
        return -1;
    }
    PyObject *count = PyLong_FromLong(known == NULL ? 1 : PyLong_AsLong(known) + 1);
    int failed = count == NULL || PyDict_SetItem(sources, source, count) < 0;
    Py_XDECREF(count);
    return failed ? -1 : 0;
}

/* The value of a key, made by `make` where it is missing. Borrowed. */
static PyObject *
value_of(PyObject *dict, PyObject *key, PyObject *(*make)(void))
{
    PyObject *value = PyDict_GetItemWithError(dict, key);
    if (value == NULL && !PyErr_Occurred()) {
        value = make();
        if (value == NULL || PyDict_SetItem(dict, key, value) < 0) {
            Py_XDECREF(value);
            return NULL;
        }
        Py_DECREF(value); /* the dictionary has it */
    }
    return value;
}

static PyObject *
empty_list(void)
{
    return PyList_New(0);
}

static int
meet_source(Closure *closure, PyObject *sources, int32_t place, Places *following)
{
    PyObject *source = address_at(closure->heap, place);
    if (source == NULL || count_source(sources, source) < 0 || set_position(closure, source, place) < 0) {
        Py_XDECREF(source);
        return -1;
    }
    Py_DECREF(source);
    if (!closure->seen[place]) {
        closure->seen[place] = 1;
        closure->met++;
        if (!closure->stops[place] && places_push(following, place) < 0) {
            return -1;
        }
    }
    return 0;
}

static int
follow_back(Closure *closure, int32_t target, Places *following)
{
    Heap *heap = closure->heap;
    int64_t begin = begin_of(heap->back_ends, target), number = heap->back_ends[target];
    if (number == begin) {
        return 0;
    }
    PyObject *address = address_at(heap, target);
    PyObject *sources = address == NULL ? NULL : value_of(closure->into, address, PyDict_New);
    Py_XDECREF(address);
    while (sources != NULL && number-- > begin) {
        if (meet_source(closure, sources, heap->back[number], following) < 0) {
            return -1;
        }
    }
    return sources == NULL ? -1 : 0;
}

typedef struct {
    Closure *closure;
    PyObject *wanted; /* a set of addresses of what is not tracked */
    int32_t source;
    Places *following;
} Untracked;

static int
visit_untracked(PyObject *target, void *arg)
{
    Untracked *untracked = arg;
    PyObject *address = PyLong_FromVoidPtr(target);
    int is_wanted = address == NULL ? -1 : PySet_Contains(untracked->wanted, address);
    if (is_wanted > 0) {
        PyObject *sources = value_of(untracked->closure->into, address, PyDict_New);
        if (sources == NULL || meet_source(untracked->closure, sources, untracked->source, untracked->following) < 0) {
            is_wanted = -1;
        }
    }
    Py_XDECREF(address);
    return is_wanted < 0 ? -1 : 0;
}

/* Those who refer to what is not tracked: nothing was noted of it, so everything is asked once more. */
static int
follow_untracked(Closure *closure, PyObject *wanted, Places *following)
{
    Untracked untracked = {closure, wanted, 0, following};
    for (Py_ssize_t place = 0; place < closure->heap->size; place++) {
        untracked.source = (int32_t)place;
        if (heap_visit(closure->heap, place, visit_untracked, &untracked) != 0) {
            if (!PyErr_Occurred()) {
                PyErr_SetString(PyExc_RuntimeError, "an object does not show what it refers to");
            }
            return -1;
        }
    }
    return 0;
}

static int
follow_weakly(Closure *closure, int32_t target, Places *following)
{
    PyObject *one = object_at(closure->heap, target);
    if (!closure->placed[target] || !PyType_SUPPORTS_WEAKREFS(Py_TYPE(one))) {
        return 0;
    }
    PyObject *references = PyObject_CallOneArg(closure->getweakrefs, one);
    if (references == NULL) {
        return -1;
    }
    int failed = 0;
    for (Py_ssize_t at = 0; !failed && at < PyList_GET_SIZE(references); at++) {
        PyObject *reference = PyList_GET_ITEM(references, at);
        PyObject *key = PyLong_FromVoidPtr(one), *address = PyLong_FromVoidPtr(reference);
        PyObject *known = key == NULL || address == NULL ? NULL : value_of(closure->weakly_into, key, empty_list);
        failed = known == NULL || PyList_Append(known, address) < 0;
        Py_XDECREF(key);
        Py_XDECREF(address);
        int32_t place = place_of(closure->heap, reference);
        if (!failed && place != NOWHERE && !closure->seen[place]) {
            closure->seen[place] = 1;
            closure->met++;
            failed = places_push(following, place) < 0;
        }
    }
    Py_DECREF(references);
    return failed ? -1 : 0;
}

static int
begin_closure(Closure *closure, PyObject *things, Places *frontier, PyObject *untracked)
{
    PyObject *number, *iterator = PyObject_GetIter(things);
    if (iterator == NULL) {
        return -1;
    }
    int failed = 0;
    while (!failed && (number = PyIter_Next(iterator)) != NULL) {
        void *address;
        failed = address_from(number, &address) < 0;
        int32_t place = failed ? NOWHERE : place_of(closure->heap, address);
        if (!failed && place == NOWHERE) {
            failed = PySet_Add(untracked, number) < 0;
            closure->met++;
        }
        else if (!failed && !closure->seen[place]) {
            closure->seen[place] = 1;
            closure->met++;
            failed = set_position(closure, number, place) < 0 || places_push(frontier, place) < 0;
        }
        Py_DECREF(number);
    }
    Py_DECREF(iterator);
    return failed || PyErr_Occurred() ? -1 : 0;
}

/* The addresses of what was not followed any more. */
static int
add_cut(const Heap *heap, PyObject *cut, const Places *frontier)
{
    for (Py_ssize_t at = 0; at < frontier->size; at++) {
        PyObject *address = address_at(heap, frontier->items[at]);
        int failed = address == NULL || PySet_Add(cut, address) < 0;
        Py_XDECREF(address);
        if (failed) {
            return -1;
        }
    }
    return 0;
}

static int
close_over(Closure *closure, PyObject *things, PyObject *cut, Py_ssize_t layers, Py_ssize_t objects)
{
    Places frontier = {NULL, 0, 0}, following = {NULL, 0, 0};
    PyObject *untracked = PySet_New(NULL);
    int failed = untracked == NULL || begin_closure(closure, things, &frontier, untracked) < 0;
    Py_ssize_t layer = 0;
    for (; !failed && layer < layers; layer++) {
        int has_untracked = layer == 0 && PySet_GET_SIZE(untracked) > 0;
        if (frontier.size == 0 && !has_untracked) {
            break;
        }
        following.size = 0;
        for (Py_ssize_t at = 0; !failed && at < frontier.size; at++) {
            failed = follow_back(closure, frontier.items[at], &following) < 0;
        }
        failed = failed || (has_untracked && follow_untracked(closure, untracked, &following) < 0);
        for (Py_ssize_t at = 0; !failed && at < frontier.size; at++) {
            failed = follow_weakly(closure, frontier.items[at], &following) < 0;
        }
        if (!failed && closure->met > objects) {
            PyObject *done = add_cut(closure->heap, cut, &frontier) < 0
                                 ? NULL
                                 : PyObject_CallMethod(cut, "update", "O", has_untracked ? untracked : cut);
            failed = done == NULL;
            Py_XDECREF(done);
            layers = layer;
        }
        Places next = following;
        following = frontier;
        frontier = next;
    }
    if (!failed && layer == layers && PySet_GET_SIZE(cut) == 0) {
        failed = add_cut(closure->heap, cut, &frontier) < 0; /* deeper than anybody looks */
    }
    Py_XDECREF(untracked);
    places_free(&frontier);
    places_free(&following);
    return failed ? -1 : 0;
}

/* leading_to(things, stops, layers, objects): addresses in, and out (into, weakly_into, position, cut). */
PyObject *
heap_leading_to(Heap *heap, PyObject *args)
{
    PyObject *things, *stops, *found = NULL, *cut = NULL, *weakref = NULL;
    Py_ssize_t layers, objects;
    if (!PyArg_ParseTuple(args, "OOnn:leading_to", &things, &stops, &layers, &objects) || heap_turn_round(heap) < 0) {
        return NULL;
    }
    Closure closure = {heap, PyDict_New(), PyDict_New(), PyDict_New(), NULL, NULL, NULL, 0, NULL};
    size_t room = (size_t)heap->size + 1;
    closure.stops = PyMem_RawCalloc(room, 1);
    closure.seen = PyMem_RawCalloc(room, 1);
    closure.placed = PyMem_RawCalloc(room, 1);
    cut = PySet_New(NULL);
    weakref = PyImport_ImportModule("_weakref");
    closure.getweakrefs = weakref == NULL ? NULL : PyObject_GetAttrString(weakref, "getweakrefs");
    if (closure.stops == NULL || closure.seen == NULL || closure.placed == NULL) {
        PyErr_NoMemory();
    }
    else if (closure.into != NULL && closure.weakly_into != NULL && closure.position != NULL && cut != NULL &&
             closure.getweakrefs != NULL && mark_stops(&closure, stops) == 0 &&
             close_over(&closure, things, cut, layers, objects) == 0) {
        found = PyTuple_Pack(4, closure.into, closure.weakly_into, closure.position, cut);
    }
    Py_XDECREF(closure.into);
    Py_XDECREF(closure.weakly_into);
    Py_XDECREF(closure.position);
    Py_XDECREF(closure.getweakrefs);
    Py_XDECREF(weakref);
    Py_XDECREF(cut);
    PyMem_RawFree(closure.stops);
    PyMem_RawFree(closure.seen);
    PyMem_RawFree(closure.placed);
    return found;
}
