# SPDX-License-Identifier: Apache-2.0
"""What support for one library or runtime is: one folder with a `Library` in it, and one line in `library_registry`.

A package of its own can bring one too, by an entry point of the group `peeps_otel.probes` that names a `Library`
object. Everything that such a package needs is importable from here. `docs/adding-a-library.md` walks through one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from gc import get_referents
from types import CellType, CodeType
from typing import Any, NamedTuple, Protocol

from ..model import Confidence, NodeKind, Providers
from ..model.operations import Operation, operation
from .call_types import CallType
from .futures import count_waiting
from .internals.asyncio_core import timer_deadline
from .internals.await_chain import SuspendedFrame
from .internals.stdlib import attribute, undecorated
from .pool_types import Lent, PoolHandle, PoolHolder, PoolState, PoolType
from .resource_types import (
    CHANNEL,
    NOT_BEFORE,
    Around,
    Channel,
    Fingerprint,
    Held,
    Known,
    Making,
    ResourceType,
    State,
    of_lock,
    of_permits,
    owned_lock,
    queue_of,
    semaphore_of,
    whole_numbers,
)

__all__ = [
    "CHANNEL",
    "ENTRY_POINTS",
    "NOT_BEFORE",
    "Around",
    "Beside",
    "CancelScopes",
    "Channel",
    "Confidence",
    "Fingerprint",
    "FutureReader",
    "Held",
    "Known",
    "Lent",
    "Library",
    "Making",
    "NodeKind",
    "Operation",
    "Place",
    "PoolHandle",
    "PoolHolder",
    "PoolState",
    "PoolType",
    "Providers",
    "ResourceType",
    "State",
    "Support",
    "SuspendedFrame",
    "TaskWait",
    "ThreadWait",
    "Waiting",
    "attribute",
    "code_of",
    "count_waiting",
    "first_of",
    "of_lock",
    "of_permits",
    "operation",
    "owned_lock",
    "queue_of",
    "semaphore_of",
    "timer_within",
    "whole_numbers",
]
ENTRY_POINTS = "peeps_otel.probes"


class Beside(NamedTuple):
    """Something of which a node is shown while a task waits for something else that may hinge on it. The task has its
    `name` as its `attribute`."""

    thing: Any
    attribute: str
    name: str


class Waiting(NamedTuple):
    """What a suspended task waits for. `targets`: tasks, futures, one primitive or one connection; none where they
    are not known, and nothing is concluded then. `needs`: how many of them. `cancels`: whether cancelling the waiter
    cancels them. `deadline`: loop time at which a timer ends this wait. `thread`: the ident of the thread that works
    for the target, where it is known from here. `beside`: what may hold it up too."""

    operation: Operation
    targets: tuple[Any, ...]
    needs: int = 1
    cancels: bool = False
    deadline: float | None = None
    thread: int | None = None
    beside: Beside | None = None


TaskFinder = Callable[[list[SuspendedFrame], SuspendedFrame, Any], Waiting | None]
"""Reads a wait off a chain of awaits: the chain, outermost first; its function that was recognised; the future that the
task is suspended on. None: it is no wait of its own after all."""


FutureReader = Callable[[list[SuspendedFrame], Any], Waiting | None]
"""Tells what a future stands for that a task awaits: the chain of awaits, outermost first, never empty; the future."""


class Place(Enum):
    """Where in a chain of awaits a function must stand to tell the wait."""

    ANYWHERE = "one of the innermost five, and before what it uses inside: right for all libraries above asyncio"
    INNERMOST = "the innermost"
    AROUND = "around an innermost one of asyncio's, by means of which it waits"
    AROUND_OTHERS = "as ANYWHERE, but by means of which it waits may be another library's"


class TaskWait(NamedTuple):
    """A coroutine function by which tasks wait. `finds`: the type of the local that is waited for; `find`: reads it,
    where it takes more than that."""

    code: CodeType
    operation: Operation
    finds: type[Any] | None = None
    find: TaskFinder | None = None
    place: Place = Place.ANYWHERE

    def read(self, links: list[SuspendedFrame], link: SuspendedFrame, future: Any) -> Waiting | None:
        """What is waited for; `link`: this function in the chain."""
        if self.find is not None:
            return self.find(links, link, future)
        thing = None if self.finds is None else first_of(link, self.finds)
        deadline = timer_within(links, link) if self.place in (Place.ANYWHERE, Place.AROUND_OTHERS) else None
        return Waiting(self.operation, () if thing is None else (thing,), deadline=deadline)


class ThreadWait(NamedTuple):
    """A function in which threads wait, by the names of its module and its own (`Lock.acquire`): nothing need be
    imported to name it. `finds`: the local that holds what is waited for, often `self`; `finds_in`: of which function,
    0 for this one, 1 for its caller. With `operation("idle")` it is where a thread of the library stands that has
    nothing to do. `seconds_left`: until a deadline of what is the function's `self` (or its local `seconds_left_of`),
    where no `timeout` of the function tells it.

    Where the operation is one that `polls`, whatever of libraries the function is in on the way is part of the wait;
    `call`: a local that has another value in each call, where there is one.
    """

    module: str
    function: str
    operation: Operation
    finds: str | None = None
    finds_in: int = 0
    seconds_left: Callable[[Any], float | None] | None = None
    seconds_left_of: str = "self"
    call: str = ""


class CancelScopes(NamedTuple):
    """What cancels tasks that do not ask for it themselves, for the leak proof. `is_armed`: whether a timer will cancel
    one; when in doubt it is. `tasks_of`: the tasks that a scope, or a manager that has one, will cancel; of any other
    object none."""

    types: tuple[type[Any], ...]
    is_armed: Callable[[object], bool]
    tasks_of: Callable[[object], list[asyncio.Task[Any]]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Support:
    """What is known of a library that the program has imported. Everything is optional.

    All functions are called on the watcher's thread while the program runs. They read stored values only: no property,
    no `repr`, no lock, and nothing of the program is kept. One that raises costs its own part of that look.
    """

    resource_types: tuple[ResourceType, ...] = ()
    resource_type_of: Callable[[type[object]], ResourceType | None] | None = None
    """For types that cannot be named beforehand."""
    resource_type_for: Callable[[object], ResourceType | None] | None = None
    """For single objects of a common type that stand for something of the library: asked once for each, first."""
    pools: tuple[PoolType, ...] = ()
    pool_handles: tuple[PoolHandle, ...] = ()
    """By what in a live function it is seen that a task or thread has something of a pool. Looked for while somebody
    waits for one."""
    call_types: tuple[CallType, ...] = ()
    """By what in a live function of a server it is seen that it answers a call. Looked for while somebody waits for the
    answer."""
    find_pools: Callable[[], Iterable[object]] | None = None
    """The living pools, where the library itself keeps them; otherwise one is known from its first waiter on."""
    task_waits: tuple[TaskWait, ...] = ()
    of_future: FutureReader | None = None
    """For waits by plain functions that give a future, in which no task is ever seen to be: whose the future is. Asked
    for one of which nothing else is known; None: not the library's."""
    thread_waits: tuple[ThreadWait, ...] = ()
    thread_modules: tuple[str, ...] = ()
    """Further modules whose frames stand between a function of `thread_waits` and the call that sleeps."""
    hands_over: tuple[tuple[str, str], ...] = ()
    """Module and function in which a thread of the library calls the program: beyond it, no wait is the library's."""
    managers: tuple[type[Any], ...] = ()
    """Types of context managers inside whose `async with` something is held; `held_by_manager` is asked for these
    alone."""
    thread_managers: tuple[type[Any], ...] = ()
    """The same for `with`, in threads and in tasks."""
    held_by_manager: Callable[[Any], object | None] = lambda manager: manager
    """What being inside `with manager` or `async with manager` holds."""
    deadline: Callable[[asyncio.Task[Any]], tuple[float | None, bool]] | None = None
    """The loop time at which a scope round a task's code ends its wait; and whether one was cancelled already."""
    scope_types: tuple[type[Any], ...] = ()
    """Context managers whose timers `deadline` tells."""
    cancelled_by: Callable[[asyncio.Task[Any]], str | None] | None = None
    """What has asked a task to cancel, in words."""
    cancel_scopes: CancelScopes | None = None
    coverage: Callable[[], list[str]] | None = None
    """What to say, in each look, of what is not seen."""


class Library(Protocol):
    """A library or runtime whose waits are seen.

    `name`: of the import package. `distribution`: whose version counts, empty for the standard library. `checked`: the
    versions it was checked on, as `4.16` for all of 4.16; another one is said in the coverage. One that also has
    `is_runtime`, True, brings primitives of its own to wait by: over one that does not fit nobody says that nothing is
    stuck.
    """

    @property
    def name(self) -> str: ...

    @property
    def distribution(self) -> str: ...

    @property
    def checked(self) -> tuple[str, ...]: ...

    def is_imported(self) -> bool:
        """Whether the program itself has imported all that `support` reads. Imports nothing; asked at each look."""
        ...

    def support(self) -> Support:
        """Once imported, and again after its functions were rewritten. Raises AttributeError where a name is missing:
        the library is then not seen, and the coverage says so."""
        ...


def code_of(owner: object, name: str) -> CodeType:
    """The code of a function that a class or module itself defines; of a decorated one, of the function within. Raises
    AttributeError where there is none."""
    function: Any = vars(owner).get(name)
    code: object = getattr(undecorated(getattr(function, "__func__", function)), "__code__", None)
    if type(code) is not CodeType:
        raise AttributeError(f"{getattr(owner, '__module__', '')}.{getattr(owner, '__qualname__', owner)}.{name}")
    return code


def timer_within(links: list[SuspendedFrame], link: SuspendedFrame) -> float | None:
    """The loop time of the first timer that a function of the chain, from `link` inwards, refers to: it ends the wait,
    so that this is never a deadlock."""
    inward = links[next((place for place, one in enumerate(links) if one is link), 0) :]
    found = [timer_deadline(referent) for one in inward for referent in one.referents]
    return min((one for one in found if one is not None), default=None)


def first_of(link: SuspendedFrame, wanted: type[Any]) -> Any:
    """The first local of a suspended function that is of a type; `self` comes first. Then those that an inner function
    shares."""
    for referent in link.referents:
        if issubclass(type(referent), wanted):
            return referent
    for cell in link.referents:
        if type(cell) is CellType:
            for content in get_referents(cell):
                if issubclass(type(content), wanted):
                    return content
    return None
