# SPDX-License-Identifier: Apache-2.0
"""The private names of gevent that are relied on: hubs, greenlets, what a lock, an event, a queue, a pool tells.

Everything is read on a thread of ours while the hub's thread cannot run: the interpreter is in our hands, and all but
one of a hub's greenlets are inside a switch. Nothing in here runs code of the program: gevent's own types are written
in C, and are asked past their properties.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterable, Iterator
from gc import get_referents
from itertools import islice
from types import BuiltinFunctionType, CodeType, FrameType, FunctionType, MethodType
from typing import Any, NamedTuple, cast
from weakref import ref

from . import versions
from .asyncio_core import whole
from .imported import is_complete
from .stdlib import attribute, class_attribute

CHECKED_ON = versions.on("gevent")

_CORE = "gevent._gevent_cgreenlet"
_HUB, _WAITER, _LOCKS, _EVENTS = "gevent.hub", "gevent._gevent_c_waiter", "gevent._gevent_c_semaphore", "gevent.event"
_QUEUES, _POOL, _RLOCK, _THREAD = "gevent.queue", "gevent.pool", "gevent.lock", "gevent.thread"
_TIMEOUT = "gevent.timeout"
_WAITS_IN = ("gevent._gevent_c_hub_primitives", _CORE)
_LIBEV = "gevent.libev.corecext"
_LINKS_MOST = 20_000
_ANCESTORS_MOST = 20


class Types(NamedTuple):
    """What every program has that has imported gevent. `function`: the type of its functions, which are compiled."""

    raw: type[Any]
    greenlet: type[Any]
    hub: type[Any]
    waiter: type[Any]
    timeout: type[Any]
    function: type[Any]
    hub_run: CodeType


class Call(NamedTuple):
    """A function of gevent in which greenlets wait. `operation`: of `peeps_otel.model.operations`; `parameters`:
    without `self`; `several`: its first argument is what is waited for, several things."""

    operation: str
    parameters: tuple[str, ...]
    several: bool = False


_TIMED = ("timeout",)
_BLOCKING = ("blocking", "timeout")
_BLOCK = ("block", "timeout")
_METHODS: tuple[tuple[str, str, str, Call], ...] = (
    (_LOCKS, "Semaphore", "acquire", Call("semaphore.acquire", _BLOCKING)),
    (_LOCKS, "Semaphore", "wait", Call("semaphore.acquire", _TIMED)),
    (_LOCKS, "BoundedSemaphore", "acquire", Call("semaphore.acquire", _BLOCKING)),
    (_EVENTS, "Event", "wait", Call("event.wait", _TIMED)),
    (_EVENTS, "AsyncResult", "wait", Call("event.wait", _TIMED)),
    (_EVENTS, "AsyncResult", "get", Call("event.wait", _BLOCK)),
    (_EVENTS, "AsyncResult", "result", Call("event.wait", _TIMED)),
    (_QUEUES, "SimpleQueue", "get", Call("queue.get", _BLOCK)),
    (_QUEUES, "SimpleQueue", "peek", Call("queue.get", _BLOCK)),
    (_QUEUES, "SimpleQueue", "put", Call("queue.put", ("item", *_BLOCK))),
    (_QUEUES, "Queue", "join", Call("queue.join", _TIMED)),
    (_QUEUES, "JoinableQueue", "join", Call("queue.join", _TIMED)),
    (_QUEUES, "Channel", "get", Call("queue.get", _BLOCK)),
    (_QUEUES, "Channel", "put", Call("queue.put", ("item", *_BLOCK))),
    (_CORE, "Greenlet", "get", Call("greenlet.join", _BLOCK)),
    (_CORE, "Greenlet", "join", Call("greenlet.join", _TIMED)),
)
_FUNCTIONS: tuple[tuple[str, Call], ...] = (
    ("joinall", Call("greenlet.joinall", ("greenlets", "timeout", "raise_error", "count"), several=True)),
    ("wait", Call("greenlet.joinall", ("objects", "timeout", "count"), several=True)),
    ("wait_on_objects", Call("greenlet.joinall", ("objects", "timeout", "count"), several=True)),
)
_LOCK_CLASSES = ((_LOCKS, "Semaphore"), (_RLOCK, "RLock"))
_QUEUE_CLASSES = ((_QUEUES, "SimpleQueue"), (_QUEUES, "Channel"))
_OTHERS = ((_EVENTS, "Event"), (_EVENTS, "AsyncResult"), (_CORE, "Greenlet"))


def is_imported() -> bool:
    """Whether the import of it has come to its end."""
    return is_complete("gevent")


def known() -> Types | None:
    """None where names are missing, as in a version that is not known, or one without compiled modules."""
    try:
        return _types()
    except (AttributeError, KeyError):
        return None


def _types() -> Types:
    hub, greenlet = _class(_HUB, "Hub"), _class(_CORE, "Greenlet")
    run, join = vars(hub)["run"], vars(greenlet)["join"]
    if type(run) is not FunctionType or type(join) is FunctionType:
        raise AttributeError("join")
    return Types(
        raw=_class("greenlet", "greenlet"),
        greenlet=greenlet,
        hub=hub,
        waiter=_class(_WAITER, "Waiter"),
        timeout=_class(_TIMEOUT, "Timeout"),
        function=cast("type[Any]", type(join)),
        hub_run=run.__code__,
    )


def _class(module: str, name: str) -> type[Any]:
    found = named(module, name)
    if found is None:
        raise AttributeError(f"{module}.{name}")
    return found


def named(module: str, name: str) -> type[Any] | None:
    """A class, if the program has loaded its module."""
    found: object = vars(sys.modules.get(module, sys)).get(name)
    return found if isinstance(found, type) else None


def classes() -> dict[str, type[Any]]:
    """Those of gevent's things that are loaded, by name."""
    wanted = (*_LOCK_CLASSES, (_LOCKS, "BoundedSemaphore"), (_THREAD, "LockType"), *_QUEUE_CLASSES, *_OTHERS)
    more = ((_QUEUES, "Queue"), (_QUEUES, "JoinableQueue"), (_POOL, "Group"), (_POOL, "Pool"))
    return {name: found for module, name in (*wanted, *more) if (found := named(module, name)) is not None}


def calls() -> dict[int, Call]:
    """By the address of a function of gevent that is loaded, which lives as long as its module."""
    found: dict[int, Call] = {}
    for module, kind, name, call in _METHODS:
        cls = named(module, kind)
        function = None if cls is None else class_attribute(cls, name)
        if function is not None:
            found[id(function)] = call
    for module in _WAITS_IN:
        loaded = sys.modules.get(module)
        names: dict[str, Any] = {} if loaded is None else vars(loaded)
        found.update((id(names[name]), call) for name, call in _FUNCTIONS if name in names)
    return found


def receivers() -> tuple[frozenset[int], frozenset[int], frozenset[int]]:
    """The addresses of the types whose methods greenlets wait in, of those entered by `with`, of those iterated over:
    also of classes that the program has derived."""
    locks = _with_derived(_LOCK_CLASSES)
    queues = _with_derived(_QUEUE_CLASSES)
    return locks | queues | _with_derived(_OTHERS), locks, queues


def greenlet_types() -> frozenset[int]:
    """The addresses of all types of greenlets, hubs among them."""
    return _with_derived((("greenlet", "greenlet"),))


def _with_derived(wanted: Iterable[tuple[str, str]]) -> frozenset[int]:
    work = [cls for module, name in wanted if (cls := named(module, name)) is not None]
    found: dict[int, type[Any]] = {}
    while work:
        cls = work.pop()
        if id(cls) not in found:
            found[id(cls)] = cls
            work += type.__subclasses__(cls)
    return frozenset(found)


# --- greenlets --------------------------------------------------------------------------------------------------------


def frame_of(types: Types, one: Any) -> FrameType | None:
    """The innermost frame of a suspended greenlet; None of one that runs, has ended or not begun, or is in code of C
    alone."""
    return vars(types.raw)["gr_frame"].__get__(one)


def is_dead(types: Types, one: Any) -> bool:
    return bool(vars(types.raw)["dead"].__get__(one))


def has_begun(types: Types, one: Any) -> bool:
    """Whether it runs or is suspended."""
    return bool(vars(types.raw)["__bool__"](one))


def hub_of(types: Types, one: Any) -> Any:
    """The hub to which a greenlet gives up control; None where there is none."""
    parent = vars(types.raw)["parent"]
    for _ in range(_ANCESTORS_MOST):
        one = parent.__get__(one)
        if one is None:
            return None
        if issubclass(type(one), types.hub):
            return one
    return None


def main_of(types: Types, hub: Any) -> Any:
    """The greenlet that a hub's thread began with."""
    return vars(types.raw)["parent"].__get__(hub)


def thread_of(hub: Any) -> int | None:
    """The system's ident of the thread of a hub; None of one that was destroyed: the ident may be another's by now."""
    return None if attribute(hub, "loop") is None else whole(attribute(hub, "thread_ident"))


def code_of(one: Any) -> CodeType | None:
    """Of the function of the program that a greenlet runs or will run, where it is told."""
    function = attribute(one, "_run")
    function = function.__func__ if type(function) is MethodType else function
    return function.__code__ if type(function) is FunctionType else None


def spawner(one: Any) -> Any:
    """The greenlet that has started this one, if it lives."""
    reference: object = attribute(one, "spawning_greenlet")
    return cast("ref[Any]", reference)() if type(reference) is ref else None


def round_began_s(hub: Any) -> float | None:
    """When the hub has come back from waiting for events the last time, in Unix time; None where it does not tell. Of
    libev's own loop alone: it is a number that is kept, nobody is asked."""
    loop, kind = attribute(hub, "loop"), named(_LIBEV, "loop")
    if kind is None or type(loop) is not kind or not attribute(loop, "ptr"):
        return None
    found = vars(kind)["now"](loop)
    return found if type(found) is float else None


def is_armed(timeout: Any) -> bool:
    """Whether the timer of a `Timeout` runs; in doubt it does."""
    return attribute(attribute(timeout, "timer"), "active") is not False


def seconds_of(timeout: Any) -> float | None:
    """After which a `Timeout` is due, from its start."""
    found = attribute(timeout, "seconds")
    return float(found) if type(found) in (int, float) else None


# --- what is waited for -----------------------------------------------------------------------------------------------


def inner(thing: Any) -> Any:
    """What has the waiters of a thing that is made of another: of an RLock, of a pool."""
    return attribute(thing, "_block") or attribute(thing, "_semaphore") or thing


def notes_waiters(thing: Any) -> bool:
    """Whether it is a thing of gevent's own, or made of one, which has who waits for it."""
    found = inner(thing)
    wanted = (*_LOCK_CLASSES[:1], *_QUEUE_CLASSES, *_OTHERS[:2])  # a greenlet keeps its own out of sight
    return any(issubclass(type(found), cls) for module, name in wanted if (cls := named(module, name)) is not None)


def other_hub(thing: Any, hub: int) -> bool:
    """Whether a thing belongs to another hub than the one at this address: who waits from there is noted otherwise."""
    found = inner(thing)
    own = attribute(found, "hub")
    return own is not None and id(own) != hub


class Link(NamedTuple):
    """One who waits: the address of his greenlet, what is called to wake him, and whether he wants to put."""

    greenlet: int
    waker: Any
    puts: bool


def links(types: Types, thing: Any) -> Iterator[Link]:
    """Those who wait for a lock, an event or at a queue, as the thing has noted them."""
    found = inner(thing)
    items: object = attribute(found, "queue")
    for kept in get_referents(found):
        if type(kept) not in (list, deque, set) or kept is items:
            continue
        for one in list(islice(cast("Iterable[Any]", kept), _LINKS_MOST)):
            bound = one.__self__ if type(one) in (BuiltinFunctionType, MethodType) else one
            if issubclass(type(bound), types.waiter):
                puts = type.__dict__["__name__"].__get__(type(bound)) == "ItemWaiter"
                yield Link(id(attribute(bound, "greenlet")), one, puts)
            elif issubclass(type(bound), types.raw):
                yield Link(id(bound), one, False)


def permits(semaphore: Any) -> int | None:
    """Those that are left."""
    return whole(attribute(semaphore, "counter"))


def most_permits(semaphore: Any) -> int | None:
    """The most there may be; None: any number."""
    return whole(attribute(semaphore, "_initial_value"))


def rlock_owner(lock: Any) -> Any:
    return attribute(lock, "_owner")


def is_set(thing: Any) -> bool | None:
    """Of an event or a result. By gevent's own function, which returns what it has stored."""
    for name in ("Event", "AsyncResult"):
        cls = named(_EVENTS, name)
        if cls is not None and issubclass(type(thing), cls):
            return vars(cls)["ready"](thing) is True
    return None


def queue_state(thing: Any) -> tuple[int | None, int | None, int | None]:
    """Length, capacity (None: without limit), unfinished tasks."""
    items, most = attribute(thing, "queue"), whole(attribute(thing, "maxsize"))
    length = len(items) if type(items) in (deque, list) else None
    return length, most if most is not None and most > 0 else None, whole(attribute(thing, "unfinished_tasks"))


def members(group: Any) -> list[Any]:
    """The greenlets of a group or pool that have not ended."""
    kept = attribute(group, "greenlets")
    return list(cast("set[Any]", kept)) if type(kept) is set else []


def pool_size(pool: Any) -> int | None:
    return whole(attribute(pool, "size"))
