/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the heap, and what is asked of a picture of it one thing at a time. */

#include "heap.h"

/* --- reading ----------------------------------------------------------------------------------------------------- */

static void *
room_for(Py_ssize_t number, size_t size)
{
    void *room = PyMem_RawCalloc((size_t)number + 1, size);
    if (room == NULL) {
        PyErr_NoMemory();
    }
    return room;
}

static int
index_by_address(Heap *heap)
{
    size_t slots = 1024;
    while (slots < (size_t)heap->size * 2) {
        slots *= 2;
    }
    heap->table = PyMem_RawMalloc(slots * sizeof *heap->table);
    if (heap->table == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    memset(heap->table, 0xff, slots * sizeof *heap->table);
    heap->mask = slots - 1;
    for (Py_ssize_t place = 0; place < heap->size; place++) {
        size_t slot = slot_of(object_at(heap, place), heap->mask);
        while (heap->table[slot] != NOWHERE) {
            slot = (slot + 1) & heap->mask;
        }
        heap->table[slot] = (int32_t)place;
    }
    return 0;
}

typedef struct {
    PyTypeObject *type;
    int32_t number;
} Kind;

/* Numbers the types in the order in which they are met. */
static int
number_kinds(Heap *heap)
{
    size_t slots = 1024, met = 0;
    Kind *table = PyMem_RawCalloc(slots, sizeof *table);
    int32_t *numbers = heap->kind;
    if (table == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t place = 0; place < heap->size; place++) {
        PyTypeObject *type = Py_TYPE(object_at(heap, place));
        size_t slot = slot_of(type, slots - 1);
        while (table[slot].type != NULL && table[slot].type != type) {
            slot = (slot + 1) & (slots - 1);
        }
        if (table[slot].type == NULL) {
            if (PyList_Append(heap->kinds, (PyObject *)type) < 0) {
                PyMem_RawFree(table);
                return -1;
            }
            table[slot] = (Kind){type, (int32_t)met++};
            numbers[place] = table[slot].number;
            if (met * 2 > slots) {
                Kind *larger = PyMem_RawCalloc(slots * 2, sizeof *table);
                if (larger == NULL) {
                    PyMem_RawFree(table);
                    PyErr_NoMemory();
                    return -1;
                }
                for (size_t from = 0; from < slots; from++) {
                    if (table[from].type != NULL) {
                        size_t to = slot_of(table[from].type, slots * 2 - 1);
                        while (larger[to].type != NULL) {
                            to = (to + 1) & (slots * 2 - 1);
                        }
                        larger[to] = table[from];
                    }
                }
                PyMem_RawFree(table);
                table = larger;
                slots *= 2;
            }
            continue;
        }
        numbers[place] = table[slot].number;
    }
    PyMem_RawFree(table);
    return 0;
}

typedef struct {
    const Heap *heap;
    Places found;
} Reading;

static int
visit_onward(PyObject *target, void *arg)
{
    Reading *reading = arg;
    int32_t place = place_of(reading->heap, target);
    return place == NOWHERE ? 0 : places_push(&reading->found, place);
}

/* What `gc.get_referents` calls, for one object of the picture. */
int
heap_visit(Heap *heap, Py_ssize_t place, visitproc visit, void *arg)
{
    PyObject *one = object_at(heap, place);
    traverseproc traverse = Py_TYPE(one)->tp_traverse;
    if (one == heap->skipped || traverse == NULL || !PyObject_IS_GC(one)) {
        return 0;
    }
    return traverse(one, visit, arg);
}

static int
read_references(Heap *heap)
{
    Reading reading = {heap, {NULL, 0, 0}};
    for (Py_ssize_t place = 0; place < heap->size; place++) {
        if (heap_visit(heap, place, visit_onward, &reading) != 0) {
            if (!PyErr_Occurred()) {
                PyErr_SetString(PyExc_RuntimeError, "an object does not show what it refers to");
            }
            places_free(&reading.found);
            return -1;
        }
        heap->ends[place] = reading.found.size;
    }
    heap->onward = reading.found.items;
    return 0;
}

static PyObject *
heap_new(PyTypeObject *type, PyObject *args, PyObject *Py_UNUSED(kwargs))
{
    PyObject *objects, *skipped;
    if (!PyArg_ParseTuple(args, "O!O:Heap", &PyList_Type, &objects, &skipped)) {
        return NULL;
    }
    if (PyList_GET_SIZE(objects) >= INT32_MAX) {
        PyErr_SetString(PyExc_OverflowError, "too many objects for one picture");
        return NULL;
    }
    Heap *heap = (Heap *)type->tp_alloc(type, 0);
    if (heap == NULL) {
        return NULL;
    }
    heap->size = PyList_GET_SIZE(objects);
    heap->skipped = skipped == Py_None ? NULL : skipped;
    heap->counts = room_for(heap->size, sizeof *heap->counts);
    heap->kind = room_for(heap->size, sizeof *heap->kind);
    heap->ends = room_for(heap->size, sizeof *heap->ends);
    heap->objects = Py_NewRef(objects);
    if (heap->counts == NULL || heap->kind == NULL || heap->ends == NULL) {
        goto failed;
    }
    /* First of all: whatever is made from here on may refer to an object of the picture. */
    for (Py_ssize_t place = 0; place < heap->size; place++) {
        heap->counts[place] = (int64_t)Py_REFCNT(object_at(heap, place)) - 1;
    }
    heap->kinds = PyList_New(0);
    if (heap->kinds == NULL || index_by_address(heap) < 0 || read_references(heap) < 0 || number_kinds(heap) < 0) {
        goto failed;
    }
    return (PyObject *)heap;
failed:
    Py_DECREF(heap);
    return NULL;
}

static void
heap_dealloc(Heap *heap)
{
    PyTypeObject *type = Py_TYPE(heap);
    PyMem_RawFree(heap->counts);
    PyMem_RawFree(heap->kind);
    PyMem_RawFree(heap->ends);
    PyMem_RawFree(heap->onward);
    PyMem_RawFree(heap->back_ends);
    PyMem_RawFree(heap->back);
    PyMem_RawFree(heap->table);
    Py_XDECREF(heap->kinds);
    Py_XDECREF(heap->objects);
    type->tp_free(heap);
    Py_DECREF(type);
}

/* Who refers to each, in the order of the references: by counting, then filling. */
int
heap_turn_round(Heap *heap)
{
    if (heap->back != NULL) {
        return 0;
    }
    int64_t references = heap->size ? heap->ends[heap->size - 1] : 0;
    int64_t *ends = room_for(heap->size, sizeof *ends);
    int32_t *back = room_for((Py_ssize_t)references, sizeof *back);
    if (ends == NULL || back == NULL) {
        PyMem_RawFree(ends);
        PyMem_RawFree(back);
        return -1;
    }
    for (int64_t number = 0; number < references; number++) {
        ends[heap->onward[number] + 1]++; /* one further: turned into beginnings by the sum */
    }
    for (Py_ssize_t place = 0; place < heap->size; place++) {
        ends[place + 1] += ends[place];
    }
    int64_t number = 0;
    for (Py_ssize_t source = 0; source < heap->size; source++) {
        for (; number < heap->ends[source]; number++) {
            back[ends[heap->onward[number]]++] = (int32_t)source; /* a beginning becomes an end as it is filled */
        }
    }
    heap->back_ends = ends;
    heap->back = back;
    return 0;
}

/* Which have more references than the objects of the picture hold: a flag by position. */
int
heap_find_roots(const Heap *heap, char *roots)
{
    int64_t *left = PyMem_RawMalloc(((size_t)heap->size + 1) * sizeof *left);
    if (left == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    memcpy(left, heap->counts, (size_t)heap->size * sizeof *left);
    int64_t references = heap->size ? heap->ends[heap->size - 1] : 0;
    for (int64_t at = 0; at < references; at++) {
        left[heap->onward[at]]--;
    }
    for (Py_ssize_t place = 0; place < heap->size; place++) {
        roots[place] = left[place] > 0;
    }
    PyMem_RawFree(left);
    return 0;
}

/* --- one thing at a time ----------------------------------------------------------------------------------------- */

static PyObject *
heap_place(Heap *heap, PyObject *number)
{
    void *address;
    if (address_from(number, &address) < 0) {
        return NULL;
    }
    int32_t place = place_of(heap, address);
    return place == NOWHERE ? Py_NewRef(Py_None) : PyLong_FromLong(place);
}

static int
checked_place(const Heap *heap, PyObject *number, Py_ssize_t *place)
{
    *place = PyLong_AsSsize_t(number);
    if (*place == -1 && PyErr_Occurred()) {
        return -1;
    }
    if (*place < 0 || *place >= heap->size) {
        PyErr_SetString(PyExc_IndexError, "no such position");
        return -1;
    }
    return 0;
}

static PyObject *
heap_count(Heap *heap, PyObject *number)
{
    Py_ssize_t place;
    return checked_place(heap, number, &place) < 0 ? NULL : PyLong_FromLongLong(heap->counts[place]);
}

static PyObject *
listed(const int32_t *items, int64_t number, int backwards)
{
    PyObject *found = PyList_New((Py_ssize_t)number);
    for (int64_t at = 0; found != NULL && at < number; at++) {
        PyObject *one = PyLong_FromLong(items[backwards ? number - 1 - at : at]);
        if (one == NULL) {
            Py_CLEAR(found);
            break;
        }
        PyList_SET_ITEM(found, (Py_ssize_t)at, one);
    }
    return found;
}

static PyObject *
heap_onward_from(Heap *heap, PyObject *number)
{
    Py_ssize_t place;
    if (checked_place(heap, number, &place) < 0) {
        return NULL;
    }
    int64_t begin = begin_of(heap->ends, place);
    return listed(heap->onward + begin, heap->ends[place] - begin, 0);
}

static PyObject *
heap_referrers(Heap *heap, PyObject *number)
{
    Py_ssize_t place;
    if (checked_place(heap, number, &place) < 0 || heap_turn_round(heap) < 0) {
        return NULL;
    }
    int64_t begin = begin_of(heap->back_ends, place);
    return listed(heap->back + begin, heap->back_ends[place] - begin, 1);
}

static PyObject *
heap_unexplained(Heap *heap, PyObject *Py_UNUSED(unused))
{
    Places found = {NULL, 0, 0};
    PyObject *listing = NULL;
    char *roots = room_for(heap->size, 1);
    int failed = roots == NULL || heap_find_roots(heap, roots) < 0;
    for (Py_ssize_t place = 0; !failed && place < heap->size; place++) {
        failed = roots[place] && places_push(&found, (int32_t)place) < 0;
    }
    if (!failed) {
        listing = listed(found.items, found.size, 0);
    }
    PyMem_RawFree(roots);
    places_free(&found);
    return listing;
}

static PyObject *
heap_of(Heap *heap, PyObject *wanted)
{
    char *flags;
    Py_ssize_t number;
    if (PyBytes_AsStringAndSize(wanted, &flags, &number) < 0) {
        return NULL;
    }
    if (number != PyList_GET_SIZE(heap->kinds)) {
        PyErr_SetString(PyExc_ValueError, "one byte for each kind");
        return NULL;
    }
    Places found = {NULL, 0, 0};
    for (Py_ssize_t place = 0; place < heap->size; place++) {
        if (flags[heap->kind[place]] && places_push(&found, (int32_t)place) < 0) {
            places_free(&found);
            return NULL;
        }
    }
    PyObject *listing = listed(found.items, found.size, 0);
    places_free(&found);
    return listing;
}

static PyObject *
heap_kinds(Heap *heap, void *Py_UNUSED(closure))
{
    return Py_NewRef(heap->kinds);
}

static PyMethodDef methods[] = {
    {"place", (PyCFunction)heap_place, METH_O, "The position of the object at an address; None: not tracked."},
    {"count", (PyCFunction)heap_count, METH_O, "The references to what is at a position, without the picture's own."},
    {"onward_from", (PyCFunction)heap_onward_from, METH_O, "The positions of all tracked things it refers to."},
    {"referrers", (PyCFunction)heap_referrers, METH_O, "The positions of those who refer to it, the last one first."},
    {"unexplained", (PyCFunction)heap_unexplained, METH_NOARGS, "The positions of those with references not known."},
    {"of", (PyCFunction)heap_of, METH_O, "The positions of all whose kind has a byte that is not 0."},
    {"leading_to", (PyCFunction)heap_leading_to, METH_VARARGS, "Everything that leads to things: see closure.py."},
    {"reach", (PyCFunction)heap_reach, METH_VARARGS, "Which blocked tasks nobody can wake: see reach.py."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef fields[] = {
    {"kinds", (getter)heap_kinds, NULL, "The types of all objects, each once.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_new, heap_new},
    {Py_tp_dealloc, heap_dealloc},
    {Py_tp_methods, methods},
    {Py_tp_getset, fields},
    {0, NULL},
};

/* Not seen by the garbage collector: what a picture refers to means nothing. */
static PyType_Spec spec = {"peeps_otel_native._native.Heap", sizeof(Heap), 0, Py_TPFLAGS_DEFAULT, slots};

static int
module_exec(PyObject *module)
{
    PyObject *type = PyType_FromSpec(&spec);
    if (type == NULL) {
        return -1;
    }
    int failed = PyModule_AddObjectRef(module, "Heap", type);
    Py_DECREF(type);
    return failed;
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
    {0, NULL},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_native",
    .m_doc = "The loops over every object of a process that a question to its heap consists of.",
    .m_size = 0,
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit__native(void)
{
    return PyModuleDef_Init(&module);
}
