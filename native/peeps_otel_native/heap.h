/* SPDX-License-Identifier: Apache-2.0 */
/* One still picture of the heap: what `peeps_otel/probes/heap/picture.py` makes in Python, with the same meaning.
 *
 * Every tracked object has a position. Nothing may run, be made or be freed between reading the heap and the last use
 * of the picture that minds: it is for a copy of the process, which stands still. */

#ifndef PEEPS_OTEL_NATIVE_HEAP_H
#define PEEPS_OTEL_NATIVE_HEAP_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

#ifdef Py_GIL_DISABLED
#error "peeps-otel-native needs the global interpreter lock"
#endif

#define NOWHERE (-1)

typedef struct {
    PyObject_HEAD
    PyObject *objects;  /* the list of all tracked objects; it holds one reference to each */
    PyObject *kinds;    /* a list of their types, each once */
    PyObject *skipped;  /* an object that is not walked, borrowed: only compared */
    Py_ssize_t size;
    int64_t *counts;    /* by position: references beyond that of `objects` */
    int32_t *kind;      /* by position: where its type is in `kinds` */
    int64_t *ends;      /* by position of a source: where its references end in `onward` */
    int32_t *onward;    /* the position of the target of each reference to something tracked */
    int64_t *back_ends; /* the same the other way round; NULL before it was asked for */
    int32_t *back;
    int32_t *table;     /* open addressing: positions by address, NOWHERE where free */
    size_t mask;
} Heap;

/* A list of positions that grows. */
typedef struct {
    int32_t *items;
    Py_ssize_t size, room;
} Places;

static inline PyObject *
object_at(const Heap *heap, Py_ssize_t place)
{
    return PyList_GET_ITEM(heap->objects, place);
}

static inline size_t
slot_of(const void *address, size_t mask)
{
    uint64_t mixed = ((uint64_t)(uintptr_t)address >> 4) * UINT64_C(0x9E3779B97F4A7C15);
    return (size_t)(mixed >> 20) & mask;
}

/* The position of an object; NOWHERE where it is not tracked. The address need not be one of an object. */
static inline int32_t
place_of(const Heap *heap, const void *address)
{
    size_t slot = slot_of(address, heap->mask);
    int32_t place;
    while ((place = heap->table[slot]) != NOWHERE) {
        if ((const void *)object_at(heap, place) == address) {
            return place;
        }
        slot = (slot + 1) & heap->mask;
    }
    return NOWHERE;
}

static inline int64_t
begin_of(const int64_t *ends, Py_ssize_t place)
{
    return place ? ends[place - 1] : 0;
}

static inline int
places_push(Places *places, int32_t place)
{
    if (places->size == places->room) {
        Py_ssize_t room = places->room ? places->room * 2 : 1024;
        int32_t *items = PyMem_RawRealloc(places->items, (size_t)room * sizeof *items);
        if (items == NULL) {
            PyErr_NoMemory();
            return -1;
        }
        places->items = items;
        places->room = room;
    }
    places->items[places->size++] = place;
    return 0;
}

static inline void
places_free(Places *places)
{
    PyMem_RawFree(places->items);
}

/* An address that Python has as a number. -1 with an exception set where it is none. */
static inline int
address_from(PyObject *number, void **address)
{
    *address = PyLong_AsVoidPtr(number);
    return *address == NULL && PyErr_Occurred() ? -1 : 0;
}

int heap_turn_round(Heap *heap);
int heap_find_roots(const Heap *heap, char *roots);
int heap_visit(Heap *heap, Py_ssize_t place, visitproc visit, void *arg);
PyObject *heap_reach(Heap *heap, PyObject *args);
PyObject *heap_leading_to(Heap *heap, PyObject *args);

#endif
