# SPDX-License-Identifier: Apache-2.0
"""arq: who waits for the result of a job, which it looks for twice a second; and the places of a worker, which are
taken by the jobs that it does."""

from __future__ import annotations

import sys
import time
from typing import Any, cast
from weakref import WeakValueDictionary

from ... import semconv
from ..internals import versions
from ..internals.await_chain import SuspendedFrame
from ..internals.frame_memory import local_of
from ..library import (
    NOT_BEFORE,
    Around,
    Beside,
    Confidence,
    Held,
    Known,
    NodeKind,
    Providers,
    ResourceType,
    State,
    Support,
    TaskWait,
    Waiting,
    attribute,
    code_of,
    first_of,
    operation,
    whole_numbers,
)

_JOBS, _WORKERS = "arq.jobs", "arq.worker"
_RESULT = operation("job.result")


class Arq:
    """A `Library`. A worker is met in the tasks in which it does its jobs."""

    name = "arq"
    distribution = "arq"
    checked = versions.ARQ

    def is_imported(self) -> bool:
        """By what stands at the end of each module."""
        return all(
            name in vars(sys.modules.get(module, sys))
            for module, name in ((_JOBS, "deserialize_result"), (_WORKERS, "run_worker"))
        )

    def support(self) -> Support:
        job: type[Any] = vars(sys.modules[_JOBS])["Job"]
        worker: type[Any] = vars(sys.modules[_WORKERS])["Worker"]
        workers: WeakValueDictionary[str, Any] = WeakValueDictionary()

        def note(_links: list[SuspendedFrame], link: SuspendedFrame, _future: Any) -> None:
            """A job that is being done: no wait of its own."""
            found = first_of(link, worker)
            name = attribute(found, "queue_name")
            if type(name) is str:
                workers[name] = found

        def find(_links: list[SuspendedFrame], link: SuspendedFrame, _future: Any) -> Waiting:
            name = attribute(first_of(link, job), "_queue_name")
            does = workers.get(name) if type(name) is str else None
            places = None if does is None else Beside(does, semconv.TASK_JOB_FROM, cast("str", name))
            return Waiting(_RESULT, (), deadline=_deadline(link), beside=places)

        return Support(
            resource_types=(ResourceType(worker, (NodeKind.SEMAPHORE,), _places, _called),),
            task_waits=(
                TaskWait(code_of(job, "result"), _RESULT, find=find),
                TaskWait(code_of(worker, "run_job"), operation("wait_for"), find=note),
            ),
        )


def _deadline(link: SuspendedFrame) -> float | None:
    """Loop time; it knows how long it has waited so far."""
    timeout, waited = local_of(link.frame, "timeout"), local_of(link.frame, "delay")
    if type(timeout) not in (int, float):
        return None
    return time.monotonic() + cast("float", timeout) - (waited if type(waited) is float else 0.0)


def _places(worker: Any, around: Around) -> State:
    """Who has one is doing a job. Another worker, elsewhere, may do jobs of the same queue."""
    most, taken, tasks = (attribute(worker, name) for name in ("max_jobs", "job_counter", "tasks"))
    running = list(cast("dict[object, Any]", tasks).values()) if type(tasks) is dict else []
    ids = [found for task in running if (found := around.task_id(task)) is not None]
    known = type(most) is int and type(taken) is int
    values = {
        semconv.SEMAPHORE_PERMITS: most if known else None,
        semconv.SEMAPHORE_AVAILABLE: max(0, most - taken) if known else None,
    }
    queue = attribute(worker, "queue_name")
    holders = [Held(one, NOT_BEFORE, "", False, Confidence.EXACT) for one in ids]
    return State(whole_numbers(values) | {semconv.JOB_PLACES: str(queue)}, Providers.OPEN, holders)


def _called(worker: Any) -> Known:
    return Known(str(attribute(worker, "queue_name")), {semconv.RESOURCE_TYPE: "arq.Worker"})


ARQ = Arq()
