/* SPDX-License-Identifier: Apache-2.0 */
/* Which blocked tasks nobody can wake: the flood of `reach.py` in C. What counts as what, and why, is said there.
 *
 * `blocked.c`: what is asked about. `flood.c`: what can be reached. `reach.c`: who is lost. */

#ifndef PEEPS_OTEL_NATIVE_BLOCKED_H
#define PEEPS_OTEL_NATIVE_BLOCKED_H

#include "heap.h"

enum { OUT, LEFT, WALL, MET }; /* of an object, as in reach.py */
enum { IS_AWAITED = 1, IS_WEAK = 2, IS_TASK = 4 }; /* what is to be done where it is come upon */
enum { KIND_OURS = 1, KIND_WEAK = 2, KIND_TASK = 4, KIND_EXACT_TASK = 8, KIND_DICT = 16, KIND_FIELD = 32 };

typedef struct {
    void *task, *future;
    int32_t place;           /* of the task; NOWHERE where it is not tracked */
    Py_ssize_t begin, end;   /* of the places of its suspended coroutines */
    int bounded, dead;
} Blocked;

typedef struct {
    void *address;
    Py_ssize_t number;
} Entry;

typedef struct {
    Heap *heap;
    unsigned char *state, *acts; /* by position */
    unsigned char *flags;        /* by kind */
    char *roots;
    Blocked *blocked;
    Entry *by_task, *by_future;  /* sorted by address */
    Py_ssize_t number, dead;
    Places suspended, work, finds;
    Py_ssize_t *revived;         /* a stack; each task goes on it at most once */
} Reach;

static inline int
flags_at(const Reach *reach, int32_t place)
{
    return reach->flags[reach->heap->kind[place]];
}

Py_ssize_t first_entry(const Entry *entries, Py_ssize_t number, const void *address);
int read_blocked(Reach *reach, PyObject *given);
int read_kinds(Reach *reach, PyObject *ours, PyObject *tasks, PyObject *fields, PyObject *weak);

#endif
