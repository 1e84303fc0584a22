# SPDX-License-Identifier: Apache-2.0
"""What a thread waits for, by what its innermost functions are.

The innermost instruction tells the C function the thread is in and the object it was called on; the functions of the
standard library around it, recognised by their code objects, tell what a person would call it: `queue.get`, not the
lock within. Not recognised means shown as what it is, never guessed.
"""

from __future__ import annotations

import socket
import sys
import time
from functools import partial
from types import BuiltinFunctionType, ModuleType
from typing import Any, NamedTuple, cast

from ..internals import stdlib as internals
from ..internals.frame_memory import FrameReader
from ..internals.managed import THINGS
from ..internals.stdlib import LOCK, RLOCK, SIMPLE_QUEUE
from ..internals.stdlib_waits import CALLS, LOOP_RUNS, MANAGED, REACQUIRE, WAITS_FOR_THREADS
from ..library import Operation, ThreadWait, operation
from ..library_registry import LibraryRegistry
from ..source import own_code
from . import references
from .bytecode import CallSite, analysis
from .call_stack import CallStack
from .functions import Functions

_OUTWARD_MOST = 24
_NUMBERS = frozenset({id(int), id(float), id(bool), id(type(None))})
_PLAIN = (str, bytes, int, float)
_TUPLE, _DICTIONARY = frozenset({id(tuple)}), frozenset({id(dict)})
_CALLABLES = frozenset({id(internals.BUILTIN), id(internals.METHOD_DESCRIPTOR)})
_V313 = sys.version_info >= (3, 13)
_ACQUIRES = frozenset({"acquire", "acquire_lock", "__enter__"})
_WITH_NUMBERS = _ACQUIRES | {"get", "sleep"}
_UNREADABLE = object()
_IDLE, _LOCK, _GET, _SLEEP = (operation(name) for name in ("idle", "lock.acquire", "queue.get", "sleep"))
_DATABASE = operation("database.wait")
_JOIN, _FUTURES = operation("thread.join"), operation("futures.wait")


class Waiting(NamedTuple):
    """`state`: `waiting` inside this program, `blocked` outside of it, `idle`.

    `targets`: primitives, futures, threads or processes; `needs`: how many of them. `timeout_s`: after which the wait
    ends, counted from its beginning; `end`: the monotonic time at which it ends. `used_at`: the number of the frame
    that made the call, innermost first. `polls_in`: of one that looks round again and again, the call it does so in.
    """

    operation: Operation
    state: str
    targets: tuple[Any, ...] = ()
    needs: int = 1
    timeout_s: float | None = None
    end: float | None = None
    used_at: int = 0
    polls_in: PollCall | None = None


class PollCall(NamedTuple):
    """One call of a function that polls: the address of its frame and of its code, and what another call of it has
    not."""

    frame: int
    code: int
    mark: int


class Callee(NamedTuple):
    """A C function that is being called. `owner`: its module or, of a method, the module of its type."""

    name: str
    owner: str
    receiver: Any
    arguments: tuple[Any, ...]
    names: tuple[str, ...]


class _Until(NamedTuple):
    """When a wait gives up: as in `Waiting`."""

    timeout_s: float | None = None
    end: float | None = None


class Classifier:
    """For the watcher thread only."""

    def __init__(self, libraries: LibraryRegistry) -> None:
        self.functions = Functions(libraries)
        self._named = partial(libraries.held_by_manager, by_thread=True)
        self._receivers: frozenset[int] = frozenset()
        self.refresh()

    def refresh(self) -> None:
        """Takes note of libraries and modules that have been imported since."""
        self.functions.refresh()
        types: set[type[Any] | None] = {LOCK, RLOCK, SIMPLE_QUEUE, socket.socket, internals.sem_lock_type()}
        types.update(internals.process_class("sqlite3", name) for name in ("Connection", "Cursor"))
        self._receivers = frozenset(id(one) for one in types if one is not None)

    def classify(self, stack: CallStack) -> Waiting | None:
        """Of a thread that does not run. None: it is in no wait that is known."""
        if len(stack) == 0:
            return None
        polls = self._polls(stack) if self.functions.any_polls else None
        if polls is not None:
            return polls
        top = stack.reader(0)
        entered = self._entered(top)
        if entered is not None:
            return self._by_lock(stack) or Waiting(_LOCK, "waiting", (entered,))
        callee = self._callee(top)
        if callee is None:
            return self._without_callee(top, stack)
        if id(top.code) == self.functions.condition_wait:
            return self._in_condition(callee, top, stack)
        if callee.name in _ACQUIRES and type(callee.receiver) in (LOCK, RLOCK):
            if self.functions.operation(top.code) is not None:
                return self._outward(stack)  # Thread.join and the interpreter's end wait by a lock too
            return self._by_lock(stack) or _acquiring(callee)
        if callee.name == "get" and type(callee.receiver) is SIMPLE_QUEUE:
            if id(top.code) == self.functions.worker:
                return Waiting(_IDLE, "idle")
            return self._outward(stack) or _getting(callee)
        return self._in_call(callee, stack)

    def _in_condition(self, callee: Callee, top: FrameReader, stack: CallStack) -> Waiting | None:
        """Waiting to be notified, or, notified, for its lock."""
        if callee.name != REACQUIRE:
            return self._outward(stack)
        lock = internals.condition_lock(top.local_named("self"))
        return Waiting(_LOCK, "waiting", () if lock is None else (lock,))

    def _in_call(self, callee: Callee, stack: CallStack) -> Waiting | None:
        """In a C function that is known to wait, perhaps on behalf of a known function around it."""
        call = CALLS.get((callee.owner, callee.name))
        by_process = callee.name in _ACQUIRES and type(callee.receiver) is internals.sem_lock_type()
        if call is None and not by_process and callee.name not in WAITS_FOR_THREADS:
            return None
        outer = self._outward(stack)
        if outer is not None:
            return outer
        if call is not None:
            return _blocked(call, callee)
        return self._acquiring_shared(callee, stack.reader(0)) if by_process else None

    def _acquiring_shared(self, callee: Callee, top: FrameReader) -> Waiting | None:
        """`lock.acquire(block, timeout)` of `multiprocessing`: a method of what is within the lock, which is found by
        the expression in the code."""
        block, timeout = _named(callee, ("block", "timeout"), (True, None))
        if block is not _UNREADABLE and not block:
            return None
        path, _ = analysis(top.code).receiver(top.lasti)
        lock = None if path is None else references.value(top, path)
        if timeout is _UNREADABLE or not internals.is_within(callee.receiver, lock):
            return Waiting(_LOCK, "waiting")  # nothing is concluded
        return Waiting(_LOCK, "waiting", (lock,), timeout_s=_number(timeout, None))

    def call(self, stack: CallStack) -> str:
        """The C function that a thread is in, as `sqlite3.execute`; empty where that is not known."""
        callee = self.callee(stack)
        return f"{callee.owner}.{callee.name}" if callee is not None and callee.owner else ""

    def callee(self, stack: CallStack) -> Callee | None:
        """The C function that a thread is in, where that is known."""
        return self._callee(stack.reader(0)) if len(stack) else None

    # --- from the innermost function outwards -------------------------------------------------------------------------

    def _by_lock(self, stack: CallStack) -> Waiting | None:
        """A wait of a library that comes down to a lock within it, in a module of its own."""
        if not self.functions.is_foreign(stack.frames[0].f_globals):
            return None
        found = self._outward(stack)
        return found if found is not None and found.targets else None

    def _polls(self, stack: CallStack) -> Waiting | None:
        """The outermost function of a library that polls, if the program's own code was not called by it."""
        found: tuple[int, ThreadWait] | None = None
        for number, code in enumerate(stack.codes):
            if own_code.is_own(code.co_filename):
                break
            row = self.functions.wait(code)
            if row is not None and row.operation.polls:
                found = number, row
        if found is None:
            return None
        number, row = found
        reader = stack.reader(number)
        until = _until(reader, row, _Until())
        target = None if row.finds is None else reader.local_named(row.finds)
        thing = None if target is None else self._named(target)
        mark: object = reader.local_named(row.call) if row.call else None
        call = PollCall(id(stack.frames[number]), id(stack.codes[number]), _mark(mark))
        targets = () if thing is None else (thing,)
        return Waiting(row.operation, "waiting", targets, 1, until.timeout_s, until.end, number + 1, call)

    def _outward(self, stack: CallStack) -> Waiting | None:
        """The outermost known function that is part of the same wait."""
        functions = self.functions
        found: tuple[int, ThreadWait] | None = None
        until = _Until()
        for number, code in enumerate(stack.codes[:_OUTWARD_MOST]):
            if not functions.is_own(stack.frames[number].f_globals) or functions.hands_over(code):
                break
            row = functions.wait(code)
            if row is None:
                continue
            if row.operation.idle and not self._is_idle(number, stack):
                break
            reader = stack.reader(number)
            if row.operation.name == MANAGED:
                call = THINGS.call(*map(reader.local_named, ("self", "methodname", "args", "kwds")))
                if call is None:
                    continue
                how = operation(call.operation)
                return Waiting(how, "waiting", (call.thing,), timeout_s=call.timeout_s, used_at=number + 1)
            found = number, row
            until = _until(reader, row, until)
        if found is None:
            return None
        number, row = found
        if row.operation.idle:
            return Waiting(_IDLE, "idle", used_at=number)
        targets, needs = self._targets(stack, number + row.finds_in, row)
        return Waiting(
            row.operation,
            "waiting" if row.finds is not None or targets else "blocked",
            targets,
            needs,
            until.timeout_s,
            until.end,
            number + row.finds_in + 1,
        )

    def _is_idle(self, number: int, stack: CallStack) -> bool:
        """Whether a function whose threads wait for work is waiting for it, not doing it."""
        if number == 0:
            return True
        if id(stack.codes[number]) == self.functions.run_once:
            return all(frame.f_globals.get("__name__") == "selectors" for frame in stack.frames[:number])
        return self.functions.operation(stack.codes[number - 1]) is not None

    def _without_callee(self, top: FrameReader, stack: CallStack) -> Waiting | None:
        """A C function that is not called by name: an iterator, or a function of a type that is not read."""
        known = self.functions.operation(top.code)
        if known is not None and known.idle and id(top.code) != self.functions.run_once:
            return Waiting(_IDLE, "idle")
        _, method = analysis(top.code).receiver(top.lasti)
        if method in LOOP_RUNS:
            return Waiting(_IDLE, "idle")
        if (known is _JOIN and method == "join") or (known is not None and (known is _DATABASE or known.asks_outside)):
            return self._outward(stack)  # of a type that has no name here (since 3.13), or of a library in C
        return None

    def _targets(self, stack: CallStack, number: int, row: ThreadWait) -> tuple[tuple[Any, ...], int]:
        if row.finds is None or number >= len(stack):
            return (), 1
        reader = stack.reader(number)
        found = reader.local_named(row.finds)
        if found is None:
            return (), 1
        if not row.operation.several:
            return (found,), 1
        pending = tuple(cast("set[Any]", found).copy()) if type(found) is set else ()
        everything = row.operation is _FUTURES and reader.local_named("return_when") == "ALL_COMPLETED"
        return pending, len(pending) if everything else 1

    # --- the innermost instruction ------------------------------------------------------------------------------------

    def _entered(self, top: FrameReader) -> Any:
        """The lock that the innermost instruction, a `with`, is taking."""
        slot = analysis(top.code).entering(top.lasti)
        if slot is None:
            return None
        found = top.argument(slot, self._receivers | _CALLABLES)
        if type(found) is BuiltinFunctionType:  # its `__exit__`, before 3.12
            found = found.__self__
        return found if type(found) in (LOCK, RLOCK) else None

    def _callee(self, top: FrameReader) -> Callee | None:
        """The C function that the innermost instruction calls."""
        site = analysis(top.code).call(top.lasti)
        if site is None or not top.readable:
            return None
        first = top.argument(site.slot, _CALLABLES)
        second = top.argument(site.slot + 1, self._receivers if _V313 or first is not None else _CALLABLES)
        receiver: Any = None
        function: Any = first
        if type(first) is internals.METHOD_DESCRIPTOR:
            receiver = second
            owner = _module_of(cast("type[object]", function.__objclass__))
        else:
            function = second if first is None else first
            if type(function) is not BuiltinFunctionType:
                return None
            receiver = function.__self__
            owner = (
                function.__module__
                if type(receiver) is ModuleType
                else _module_of(cast("type[object]", type(receiver)))
            )
        arguments: list[Any] = []
        # Of these only, whose arguments are numbers: the arguments of a call are let go of one after the other when it
        # is over, and if letting go of the last one takes long the others are gone already.
        name = function.__name__
        owner = owner if type(owner) is str else ""
        if site.spread:
            return Callee(name, owner, receiver, *(_spread(top, site) if name in _WITH_NUMBERS else ((), ())))
        for number in range(min(site.arguments, 4) if name in _WITH_NUMBERS else 0):
            slot = site.slot + 2 + number
            arguments.append(top.argument(slot, _NUMBERS) if top.has_type(slot, _NUMBERS) else _UNREADABLE)
        return Callee(name, owner, receiver, tuple(arguments), site.names)


def _until(reader: FrameReader, row: ThreadWait, inner: _Until) -> _Until:
    """Of a function that waits by means of one that gives up as `inner` says."""
    if row.operation.asks_outside or row.operation.polls:
        inner = _Until()  # what it uses inside wakes it, and does not end it
    ends = [inner.end, *(_number(reader.local_named(name), None) for name in ("endtime", "end_time"))]
    left_s = None if row.seconds_left is None else row.seconds_left(reader.local_named(row.seconds_left_of))
    if left_s is not None:
        ends.append(time.monotonic() + left_s)
    return _Until(
        _number(reader.local_named("timeout"), inner.timeout_s),
        min((end for end in ends if end is not None), default=None),
    )


def _mark(value: object) -> int:
    """Something that is the same for the same value; the address of what may not be compared."""
    return hash(value) if type(value) in _PLAIN else id(value)


def _spread(top: FrameReader, site: CallSite) -> tuple[tuple[Any, ...], tuple[str, ...]]:
    """The arguments of `f(*arguments, **named)` that are numbers, and the names of the last of them."""
    given = cast("tuple[Any, ...] | None", top.argument(site.slot + 2, _TUPLE))
    named = cast("dict[Any, Any] | None", top.argument(site.slot + 3, _DICTIONARY) if site.arguments > 1 else {})
    if given is None or named is None:
        return (_UNREADABLE,) * 2, ()
    values: list[Any] = [*given[:4], *named.values()]
    known = tuple(one if id(cast("object", type(one))) in _NUMBERS else _UNREADABLE for one in values)
    return known, tuple(one if type(one) is str else "" for one in named)


def _module_of(kind: type[object]) -> str:
    """The module of a type that is written in C."""
    return type.__dict__["__module__"].__get__(kind)


def _blocked(call: str, callee: Callee) -> Waiting:
    """`call`: the name of the operation."""
    if call == "sleep":
        seconds = _number(callee.arguments[0] if callee.arguments else None, None)
        return Waiting(_SLEEP, "waiting", timeout_s=seconds)
    if type(callee.receiver) is socket.socket:
        timeout = internals.socket_timeout(callee.receiver)
        return Waiting(operation(call), "blocked", (callee.receiver,), timeout_s=timeout)
    return Waiting(operation(call), "blocked")


def _acquiring(callee: Callee) -> Waiting | None:
    """`lock.acquire(blocking, timeout)`."""
    blocking, timeout = _named(callee, ("blocking", "timeout"), (True, -1))
    if _UNREADABLE in (blocking, timeout):
        return Waiting(_LOCK, "waiting")  # it may have a timeout: nothing is concluded
    if not blocking:
        return None
    return Waiting(_LOCK, "waiting", (callee.receiver,), timeout_s=_number(timeout, None))


def _getting(callee: Callee) -> Waiting:
    """`simple_queue.get(block, timeout)`."""
    _, timeout = _named(callee, ("block", "timeout"), (True, None))
    if timeout is _UNREADABLE:
        return Waiting(_GET, "waiting")
    return Waiting(_GET, "waiting", (callee.receiver,), timeout_s=_number(timeout, None))


def _named(callee: Callee, parameters: tuple[str, ...], defaults: tuple[Any, ...]) -> list[Any]:
    values = list(defaults)
    positional = len(callee.arguments) - len(callee.names)
    for number, value in enumerate(callee.arguments):
        if number < positional:
            if number < len(values):
                values[number] = value
        elif callee.names[number - positional] in parameters:
            values[parameters.index(callee.names[number - positional])] = value
    return values


def _number(value: object, otherwise: float | None) -> float | None:
    """A timeout: a number that is not negative (which means none)."""
    return float(cast("float", value)) if type(value) in (int, float) and cast("float", value) >= 0 else otherwise


def deadline_ns(waiting: Waiting, since_ns: int, now_ns: int) -> int | None:
    """When a timer ends the wait at the latest, in Unix epoch nanoseconds."""
    if waiting.end is not None:
        return now_ns + int((waiting.end - time.monotonic()) * 1e9)
    if waiting.timeout_s is not None:
        return since_ns + int(min(waiting.timeout_s, 1e9) * 1e9)
    return None
