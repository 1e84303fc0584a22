# SPDX-License-Identifier: Apache-2.0
"""What a suspended greenlet waits for, by its innermost functions.

As of a thread: the innermost instruction calls a function of gevent, which is compiled and has no frame, on the thing
that is waited for. Where the functions round it are those of a library (`threading`, `queue`, gevent's own in Python),
they tell what a person would call it.
"""

from __future__ import annotations

from types import MethodType
from typing import Any, NamedTuple, cast

from ..internals import gevent as internals
from ..internals.frame_memory import FrameReader
from ..internals.gevent import Call, Types
from ..library import operation
from ..library_registry import LibraryRegistry
from ..threads.bytecode import CallSite, analysis
from ..threads.call_stack import CallStack
from ..threads.waits import Classifier, Waiting

_NUMBERS = frozenset({id(int), id(float), id(bool), id(type(None))})
_COLLECTIONS = frozenset({id(list), id(tuple), id(set), id(frozenset)})
_TUPLE, _DICTIONARY = frozenset({id(tuple)}), frozenset({id(dict)})
_SEMAPHORE, _GET = operation("semaphore.acquire"), operation("queue.get")
_JOIN, _JOINALL = operation("greenlet.join"), operation("greenlet.joinall")
_PARKED = Waiting(operation("greenlet.wait"), "waiting")
_UNREADABLE = object()


class _Arguments(NamedTuple):
    """Of a call of gevent's: by parameter, those that are numbers or collections; `told`: whether that are all."""

    values: dict[str, Any]
    told: bool

    def number(self, name: str) -> Any:
        found = self.values.get(name)
        return found if id(cast("object", type(found))) in _NUMBERS else _UNREADABLE


class GreenletWaits(Classifier):
    """For the watcher thread only."""

    def __init__(self, libraries: LibraryRegistry, types: Types) -> None:
        self._types = types
        self._calls: dict[int, Call] = {}
        super().__init__(libraries)

    def refresh(self) -> None:
        """Takes note of modules that have been imported and classes that were derived since."""
        super().refresh()
        self._calls = internals.calls()
        self._things, self._locks, self._queues = internals.receivers()
        self._functions = frozenset({id(self._types.function)})
        self._entered_by = self._locks | {id(MethodType)}

    def classify(self, stack: CallStack) -> Waiting | None:
        """Of a suspended greenlet."""
        if len(stack) == 0:
            return _PARKED
        top = stack.reader(0)
        inside = self._innermost(top)
        if self.functions.is_own(stack.frames[0].f_globals):
            outer = self._outward(stack)
            if outer is not None:
                return self._of_group(outer)
        return inside or _PARKED

    def _of_group(self, waiting: Waiting) -> Waiting:
        """`Group.join` waits for its greenlets."""
        if waiting.operation is not _JOIN or len(waiting.targets) != 1:
            return waiting
        found = tuple(internals.members(waiting.targets[0]))
        return waiting._replace(operation=_JOINALL, targets=found, needs=len(found))

    def _innermost(self, top: FrameReader) -> Waiting | None:
        known = analysis(top.code)
        op = known.op_at(top.lasti)
        if op is None or not top.readable:
            return None
        slot = known.entering(top.lasti)
        if slot is not None:
            return self._entering(top.argument(slot, self._entered_by))
        if op.name == "FOR_ITER":
            depth = known.depths.get(op.offset)
            queue = None if not depth else top.argument(depth - 1, self._queues)
            return None if queue is None else Waiting(_GET, "waiting", (queue,))
        site = known.call(top.lasti)
        return None if site is None else self._called(top, site)

    def _entering(self, found: Any) -> Waiting | None:
        if type(found) is MethodType:  # its `__exit__`, before 3.12
            found = found.__self__
        if id(cast("object", type(found))) not in self._locks:
            return None
        return Waiting(_SEMAPHORE, "waiting", (found,))

    def _called(self, top: FrameReader, site: CallSite) -> Waiting | None:
        bound = frozenset({id(MethodType)})
        first, second = top.argument(site.slot, self._functions | bound), None
        if first is None:
            first = top.argument(site.slot + 1, self._functions | bound)
        else:
            second = top.argument(site.slot + 1, self._things)
        if type(first) is MethodType:  # of `f(*arguments)`: not taken apart
            first, second = first.__func__, first.__self__
        call = self._calls.get(id(first))
        if call is None:
            return None
        arguments = _arguments(top, site, call)
        known, timeout = operation(call.operation), arguments.number("timeout")
        if not arguments.told or timeout is _UNREADABLE:
            return Waiting(known, "waiting")  # it may have a timeout: nothing is concluded
        timeout_s = float(timeout) if type(timeout) in (int, float) and timeout >= 0 else None
        if call.several:
            return self._several(arguments, call, timeout_s)
        targets = () if second is None or id(cast("object", type(second))) not in self._things else (second,)
        if targets and issubclass(type(second), self._types.greenlet) and internals.is_dead(self._types, second):
            return Waiting(known, "waiting", timeout_s=0.0)  # it will go on at once
        return Waiting(known, "waiting", targets, timeout_s=timeout_s)

    def _several(self, arguments: _Arguments, call: Call, timeout_s: float | None) -> Waiting:
        given, count = arguments.values.get(call.parameters[0]), arguments.number("count")
        known = operation(call.operation)
        if id(cast("object", type(given))) not in _COLLECTIONS or count is _UNREADABLE:
            return Waiting(known, "waiting", timeout_s=timeout_s)
        things = list(cast("Any", given))
        types = self._types
        if any(not issubclass(type(one), types.greenlet) for one in things):
            return Waiting(known, "waiting", timeout_s=timeout_s)
        targets = tuple(one for one in things if not internals.is_dead(types, one))
        ended = len(things) - len(targets)
        needs = len(targets) if type(count) is not int else max(1, min(len(targets), count - ended))
        if "raise_error" in call.parameters and arguments.number("raise_error") not in (None, False):
            needs = min(needs, 1)  # the first that fails ends it
        return Waiting(known, "waiting", targets, needs, timeout_s)


def _arguments(top: FrameReader, site: CallSite, call: Call) -> _Arguments:
    values: dict[str, Any] = dict.fromkeys(call.parameters)
    if site.spread:
        given = cast("tuple[Any, ...] | None", top.argument(site.slot + 2, _TUPLE))
        named = cast("dict[Any, Any] | None", top.argument(site.slot + 3, _DICTIONARY) if site.arguments > 1 else {})
        if given is None or named is None:
            return _Arguments(values, False)
        values.update(zip(call.parameters, given, strict=False))
        values.update((name, value) for name, value in named.items() if type(name) is str)
        return _Arguments(values, True)
    positional = site.arguments - len(site.names)
    for number in range(site.arguments):
        name = site.names[number - positional] if number >= positional else _nth(call.parameters, number)
        wanted = _COLLECTIONS if call.several and number == 0 else _NUMBERS
        slot = site.slot + 2 + number
        values[name] = top.argument(slot, wanted) if top.has_type(slot, wanted) else _UNREADABLE
    return _Arguments(values, True)


def _nth(parameters: tuple[str, ...], number: int) -> str:
    return parameters[number] if number < len(parameters) else ""
