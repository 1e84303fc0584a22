# SPDX-License-Identifier: Apache-2.0
"""janus: a queue with one end for threads and one for tasks.

Both wait by conditions of their own, which say nothing of who else has the queue: it is the queue that is waited for.
"""

from __future__ import annotations

from typing import Any

from ..internals import janus_queue as internals
from ..internals import versions
from ..library import (
    CHANNEL,
    Around,
    ResourceType,
    State,
    Support,
    SuspendedFrame,
    TaskWait,
    ThreadWait,
    Waiting,
    code_of,
    first_of,
    operation,
    queue_of,
)

_WAITS = {"get": "queue.get", "put": "queue.put", "join": "queue.join"}
_NOTIFIED = "wait"
"""The method of a condition."""


class Janus:
    """A `Library`."""

    name = "janus"
    distribution = "janus"
    checked = versions.JANUS

    def is_imported(self) -> bool:
        return internals.is_imported()

    def support(self) -> Support:
        queue, end = internals.queue_type(), internals.async_end()
        return Support(
            resource_types=(ResourceType(queue, CHANNEL, _read),),
            task_waits=tuple(_task_wait(queue, end, name) for name in _WAITS),
            thread_waits=tuple(
                ThreadWait(internals.MODULE, f"{internals.SYNC}.{name}", operation(known), finds="parent")
                for name, known in _WAITS.items()
            ),
        )


def _task_wait(queue: type[Any], end: type[Any], name: str) -> TaskWait:
    known, code = operation(_WAITS[name]), code_of(end, name)

    def find(links: list[SuspendedFrame], link: SuspendedFrame, _future: Any) -> Waiting | None:
        """None while it takes the lock that the conditions share."""
        inner = links[next((place for place, one in enumerate(links) if one is link), 0) + 1 :]
        thing = first_of(link, queue)
        if thing is None or not inner or inner[0].code.co_name != _NOTIFIED:
            return None
        return Waiting(known, (thing,))

    return TaskWait(code, known, find=find)


def _read(queue: object, _around: Around) -> State:
    return queue_of(internals.state(queue))


JANUS = Janus()
