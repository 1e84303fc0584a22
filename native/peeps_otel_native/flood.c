/* SPDX-License-Identifier: Apache-2.0 */
/* What can be reached: everything but blocked tasks, and those once what they wait for was. */

#include "flood.h"

/* What the program has hung on a blocked task that it can reach. */
static int
find_attributes(Reach *reach, int32_t place)
{
    int of = flags_at(reach, place);
    const Heap *heap = reach->heap;
    for (int64_t at = begin_of(heap->ends, place); at < heap->ends[place]; at++) {
        int32_t target = heap->onward[at];
        int kind = flags_at(reach, target);
        int counts = !(of & KIND_TASK) || (kind & KIND_DICT) || (!(of & KIND_EXACT_TASK) && !(kind & KIND_FIELD));
        if (counts && reach->state[target] != OUT && places_push(&reach->finds, target) < 0) {
            return -1;
        }
    }
    return 0;
}

/* Something that was not passed before was come upon. `holds`: by a reference that keeps it alive. */
static int
find(Reach *reach, int32_t place, int holds)
{
    reach->finds.size = 0;
    for (;;) {
        if (reach->state[place] == LEFT) {
            reach->state[place] = OUT;
            if (places_push(&reach->work, place) < 0) {
                return -1;
            }
        }
        else if (reach->state[place] != OUT) {
            if (holds) {
                reach->state[place] = MET;
            }
            if (reach->acts[place] & IS_TASK) {
                reach->acts[place] &= (unsigned char)~IS_TASK;
                if (find_attributes(reach, place) < 0) {
                    return -1;
                }
            }
        }
        if (reach->finds.size == 0) {
            return 0;
        }
        place = reach->finds.items[--reach->finds.size];
        holds = 0; /* by the task, should that be held itself */
    }
}

int
pass_again(Reach *reach, int32_t place)
{
    if (place == NOWHERE) {
        return 0;
    }
    reach->state[place] = OUT;
    return places_push(&reach->work, place);
}

/* The task may run again, and so may all who await it. */
int
revive(Reach *reach, Py_ssize_t number)
{
    Py_ssize_t waiting = 0;
    if (!reach->blocked[number].dead) {
        return 0;
    }
    reach->blocked[number].dead = 0;
    reach->revived[waiting++] = number;
    while (waiting) {
        Blocked *one = &reach->blocked[reach->revived[--waiting]];
        reach->dead--;
        if (pass_again(reach, one->place) < 0) {
            return -1;
        }
        for (Py_ssize_t at = one->begin; at < one->end; at++) {
            if (pass_again(reach, reach->suspended.items[at]) < 0) {
                return -1;
            }
        }
        Py_ssize_t at = first_entry(reach->by_future, reach->number, one->task);
        for (; at < reach->number && reach->by_future[at].address == one->task; at++) {
            Py_ssize_t next = reach->by_future[at].number;
            if (reach->blocked[next].dead) {
                reach->blocked[next].dead = 0;
                reach->revived[waiting++] = next;
            }
        }
    }
    return 0;
}

/* What a weak reference or a proxy refers to; NOWHERE where that is gone or not tracked. */
static int32_t
weakly(const Heap *heap, int32_t place)
{
    PyObject *reference = object_at(heap, place);
#if PY_VERSION_HEX >= 0x030D0000
    PyObject *target;
    if (PyWeakref_GetRef(reference, &target) <= 0) {
        return NOWHERE;
    }
    int32_t found = place_of(heap, target);
    Py_DECREF(target);
    return found;
#else
    return place_of(heap, PyWeakref_GetObject(reference));
#endif
}

static int
act(Reach *reach, int32_t place)
{
    if (reach->acts[place] & IS_AWAITED) {
        void *address = object_at(reach->heap, place);
        Py_ssize_t at = first_entry(reach->by_future, reach->number, address);
        for (; at < reach->number && reach->by_future[at].address == address; at++) {
            if (revive(reach, reach->by_future[at].number) < 0) {
                return -1;
            }
        }
    }
    if (reach->acts[place] & IS_WEAK) {
        int32_t target = weakly(reach->heap, place);
        if (target != NOWHERE && reach->state[target] != OUT) {
            return find(reach, target, 0);
        }
    }
    return 0;
}

/* Everything that can be reached from `work`; a task is passed once its future was. */
int
flood(Reach *reach)
{
    const Heap *heap = reach->heap;
    while (reach->work.size) {
        int32_t place = reach->work.items[--reach->work.size];
        if (reach->acts[place] && act(reach, place) < 0) {
            return -1;
        }
        for (int64_t at = begin_of(heap->ends, place); at < heap->ends[place]; at++) {
            int32_t target = heap->onward[at];
            if (reach->state[target] != OUT && find(reach, target, 1) < 0) {
                return -1;
            }
        }
    }
    return 0;
}
