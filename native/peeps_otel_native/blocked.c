/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked about: the blocked tasks, by what they wait for, and what each type of object is to them. */

#include "blocked.h"

static int
compare_entries(const void *left, const void *right)
{
    const Entry *a = left, *b = right;
    if (a->address != b->address) {
        return (uintptr_t)a->address < (uintptr_t)b->address ? -1 : 1;
    }
    return a->number < b->number ? -1 : a->number > b->number;
}

/* The first entry of an address; as many as there are entries where it has none. */
Py_ssize_t
first_entry(const Entry *entries, Py_ssize_t number, const void *address)
{
    Py_ssize_t low = 0, high = number;
    while (low < high) {
        Py_ssize_t middle = low + (high - low) / 2;
        if ((uintptr_t)entries[middle].address < (uintptr_t)address) {
            low = middle + 1;
        }
        else {
            high = middle;
        }
    }
    return low < number && entries[low].address == address ? low : number;
}

static int
read_one(Reach *reach, Blocked *one, PyObject *given)
{
    PyObject *task, *future, *links;
    int bounded;
    if (!PyArg_ParseTuple(given, "OOO!p:blocked", &task, &future, &PyTuple_Type, &links, &bounded) ||
        address_from(task, &one->task) < 0 || address_from(future, &one->future) < 0) {
        return -1;
    }
    one->place = place_of(reach->heap, one->task);
    one->bounded = bounded;
    one->dead = 1;
    one->begin = reach->suspended.size;
    for (Py_ssize_t at = 0; at < PyTuple_GET_SIZE(links); at++) {
        void *address;
        if (address_from(PyTuple_GET_ITEM(links, at), &address) < 0) {
            return -1;
        }
        int32_t place = place_of(reach->heap, address);
        if (place != NOWHERE && places_push(&reach->suspended, place) < 0) {
            return -1;
        }
    }
    one->end = reach->suspended.size;
    return 0;
}

int
read_blocked(Reach *reach, PyObject *given)
{
    size_t room = (size_t)PyList_GET_SIZE(given) + 1;
    reach->blocked = PyMem_RawCalloc(room, sizeof *reach->blocked);
    reach->by_task = PyMem_RawCalloc(room, sizeof *reach->by_task);
    reach->by_future = PyMem_RawCalloc(room, sizeof *reach->by_future);
    reach->revived = PyMem_RawCalloc(room, sizeof *reach->revived);
    if (!reach->blocked || !reach->by_task || !reach->by_future || !reach->revived) {
        PyErr_NoMemory();
        return -1;
    }
    for (; reach->number < PyList_GET_SIZE(given); reach->number++) {
        Blocked *one = &reach->blocked[reach->number];
        if (read_one(reach, one, PyList_GET_ITEM(given, reach->number)) < 0) {
            return -1;
        }
        reach->by_task[reach->number] = (Entry){one->task, reach->number};
        reach->by_future[reach->number] = (Entry){one->future, reach->number};
    }
    reach->dead = reach->number;
    qsort(reach->by_task, (size_t)reach->number, sizeof(Entry), compare_entries);
    qsort(reach->by_future, (size_t)reach->number, sizeof(Entry), compare_entries);
    return 0;
}

static int
has_exactly(PyObject *types, PyObject *kind)
{
    for (Py_ssize_t at = 0; at < PyTuple_GET_SIZE(types); at++) {
        if (PyTuple_GET_ITEM(types, at) == kind) {
            return 1;
        }
    }
    return 0;
}

static int
is_kind_of(PyObject *types, PyObject *kind)
{
    for (Py_ssize_t at = 0; at < PyTuple_GET_SIZE(types); at++) {
        if (PyType_IsSubtype((PyTypeObject *)kind, (PyTypeObject *)PyTuple_GET_ITEM(types, at))) {
            return 1;
        }
    }
    return 0;
}

/* What each type is, found out once. `ours`: a set of addresses; `tasks`: a tuple with the type of tasks. */
int
read_kinds(Reach *reach, PyObject *ours, PyObject *tasks, PyObject *fields, PyObject *weak)
{
    Py_ssize_t number = PyList_GET_SIZE(reach->heap->kinds);
    reach->flags = PyMem_RawCalloc((size_t)number + 1, 1);
    if (reach->flags == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t at = 0; at < number; at++) {
        PyObject *kind = PyList_GET_ITEM(reach->heap->kinds, at);
        PyObject *address = PyLong_FromVoidPtr(kind);
        int is_ours = address == NULL ? -1 : PySet_Contains(ours, address);
        Py_XDECREF(address);
        if (is_ours < 0) {
            return -1;
        }
        reach->flags[at] = (unsigned char)((is_ours ? KIND_OURS : 0) | (is_kind_of(weak, kind) ? KIND_WEAK : 0) |
                                           (is_kind_of(tasks, kind) ? KIND_TASK : 0) |
                                           (has_exactly(tasks, kind) ? KIND_EXACT_TASK : 0) |
                                           (kind == (PyObject *)&PyDict_Type ? KIND_DICT : 0) |
                                           (has_exactly(fields, kind) ? KIND_FIELD : 0));
    }
    return 0;
}
