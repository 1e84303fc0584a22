# SPDX-License-Identifier: Apache-2.0
"""Which functions of asyncio are rewritten, and how.

Recorded are: where a task, lock, semaphore or queue was made; who took a lock or permit by a bare `acquire()`; when a
wait began (only where there is one: in a local variable of the suspended function, which costs nothing to keep), and
who ended it. `async with lock` records nothing: the holder can be read off the stack of its
coroutine. It even gets faster, because `__aenter__` takes over the body of `acquire` and saves a frame.
"""

from __future__ import annotations

import ast
import asyncio
import time
from asyncio import base_events, locks, queues
from collections.abc import Callable
from types import CodeType, FunctionType, ModuleType
from typing import Any
from weakref import ref

from ...model.change import Change
from ..internals import asyncio_core as internals
from . import source_patch as rewrite
from .recorder import Recorder
from .source_patch import Insert, adds_to, assigns, awaits, is_last, returns, sets_result_of

_SWITCH = "`PEEPS_RECORD`, `PEEPS_PROBE_ASYNCIO`"
_UNDONE = "the code object of before is put back when recording ends"
CHANGES = (
    Change(
        "`BaseEventLoop.create_task`",
        "rewritten: where, when and by whom a task was made, as an attribute `_peeps_origin` of the task",
        "at the start, for a limited number of tasks a second",
        _UNDONE,
        _SWITCH,
    ),
    Change(
        "`Lock.__init__`, `Semaphore.__init__`, `Queue.__init__` of asyncio",
        "rewritten: where and when it was made, as an attribute `_peeps_origin`",
        "at the start, for a limited number a second",
        _UNDONE,
        _SWITCH,
    ),
    Change(
        "`Lock.acquire`, `Lock.release`, `Semaphore.acquire`, `Semaphore.release` of asyncio",
        "rewritten: who has it by a bare `acquire()`, as an attribute `_peeps_owner` or `_peeps_holders` (weak "
        "references); since when a task waits, in a local variable",
        "at the start",
        _UNDONE,
        _SWITCH,
    ),
    Change(
        "`Lock.__aenter__`, `Semaphore.__aenter__` of asyncio",
        "added: the body of `acquire` without recording, one frame less; an overridden `acquire` is called as before",
        "at the start",
        "removed when recording ends",
        _SWITCH,
    ),
    Change(
        "`Event.wait`, `Condition.wait`, `Queue.get`, `Queue.put` of asyncio",
        "rewritten: since when a task waits, in a local variable; a wait over `PEEPS_SPAN_WAIT_MS` is written down",
        "at the start",
        _UNDONE,
        _SWITCH,
    ),
    Change(
        "`Event.set`, `Lock._wake_up_first`, `Semaphore._wake_up_next`/`_wake_next`, `Condition._notify`/`notify`, "
        "`Queue._wakeup_next` of asyncio",
        "rewritten: who ended a wait, as an attribute `_peeps_waker`",
        "at the start, for a limited number a second",
        _UNDONE,
        _SWITCH,
    ),
    Change(
        "the modules `asyncio.base_events`, `asyncio.locks`, `asyncio.queues` and their classes",
        "names that begin with `_peeps` added, for the statements above",
        "at the start",
        "they stay: a coroutine may be suspended in rewritten code",
        _SWITCH,
    ),
)
_Undo = Callable[[], None]


def install(recorder: Recorder) -> tuple[list[_Undo], list[str]]:
    """Rewrites what can be rewritten. Returns how to undo it, and what was left alone and why."""
    undo: list[_Undo] = []
    refused: list[str] = []
    for module in (base_events, locks, queues):
        _give_names(module, recorder)
    _give_defaults()

    def attempt(step: Callable[[], _Undo]) -> None:
        try:
            undo.append(step())
        except (rewrite.Mismatch, OSError, SyntaxError, StopIteration, AttributeError, TypeError) as reason:
            refused.append(f"not recorded: {reason}")

    # The flattened `__aenter__`s are made from the untouched source of `acquire`, so the order does not matter.
    for cls in (locks.Lock, locks.Semaphore):
        attempt(lambda cls=cls: _flatten_enter(cls))
    for function, edits in _edits():
        attempt(lambda function=function, edits=edits: _exchange(function, rewrite.rewritten(function, edits)))
    return undo, refused


def _edits() -> list[tuple[FunctionType, list[Insert]]]:
    def wait(future: str) -> list[Insert]:
        return [Insert(awaits(future), _BEGAN, 1, before=True), Insert(awaits(future), _ENDED, 1)]

    def woke(future: str) -> list[Insert]:
        return [Insert(sets_result_of(future), "if _peeps_wakers_left:\n    _peeps_woke(self)", 1, before=True)]

    take_permit = Insert(returns(True), "_peeps_took_permit(self)", 2, before=True)
    give_permit = "if self._peeps_holders:\n    _peeps_gave_permit(self)"
    create = Insert(returns("task"), _CREATED, 1, before=True)
    queue: Any = queues.Queue
    table: list[tuple[Any, list[Insert]]] = [
        (base_events.BaseEventLoop.create_task, [create]),
        (locks.Lock.__init__, [_made(locks.Lock.__init__)]),
        (locks.Semaphore.__init__, [_made(locks.Semaphore.__init__, "value")]),
        (queue.__init__, [_made(queue.__init__)]),
        (locks.Lock.acquire, [*wait("fut"), Insert(assigns("_locked", True), _took_lock(), 2)]),
        (locks.Event.set, woke("fut")),
        (locks.Lock.release, [Insert(assigns("_locked", False), _GAVE_LOCK, 1)]),
        (locks.Semaphore.acquire, [*wait("fut"), take_permit]),
        (locks.Semaphore.release, [Insert(adds_to("_value"), give_permit, 1)]),
        (locks.Event.wait, wait("fut")),
        (locks.Condition.wait, wait("fut")),
        (queue.get, wait("getter")),
        (queue.put, wait("putter")),
    ]
    for owner, names, future in (
        (locks.Lock, ("_wake_up_first",), "fut"),
        (locks.Semaphore, ("_wake_up_next", "_wake_next"), "fut"),
        (locks.Condition, ("_notify", "notify"), "fut"),
        (queue, ("_wakeup_next",), "waiter"),
    ):
        table += [(vars(owner)[name], woke(future)) for name in names if name in vars(owner)][:1]
    return [(_function(function), edits) for function, edits in table]


def _made(function: Any, initial: str = "None") -> Insert:
    return Insert(is_last(_function(function)), _MADE.format(initial), 1)


def _function(function: Any) -> FunctionType:
    return function


def _give_names(module: ModuleType, recorder: Recorder) -> None:
    """What the inserted statements use. Stays for good: a coroutine may be suspended in rewritten code."""
    names = {
        "_peeps": recorder,
        "_peeps_now": time.time_ns,
        "_peeps_created": recorder.created,
        "_peeps_woke": recorder.woke,
        "_peeps_took_permit": recorder.took_permit,
        "_peeps_gave_permit": recorder.gave_permit,
        "_peeps_step": internals.STEP_OF_LOOP,
        "_peeps_frame": internals.getframe,
        "_peeps_ref": ref,
        "_peeps_task": asyncio.current_task,
        "_peeps_running": internals.current_tasks(),
        "_peeps_globals": vars(module),
        "_peeps_tasks_left": recorder.tasks.left,
        "_peeps_resources_left": recorder.resources.left,
        "_peeps_holders_left": recorder.holders.left,
        "_peeps_wakers_left": recorder.wakers.left,
    }
    for name, value in names.items():
        setattr(module, name, value)


def _give_defaults() -> None:
    """So that the inserted statements can ask for an attribute that most objects never get."""
    for cls, names in (
        (locks.Lock, ("_peeps_origin", "_peeps_waker")),
        (locks.Semaphore, ("_peeps_origin", "_peeps_holders", "_peeps_waker")),
        (locks.Event, ("_peeps_waker",)),
        (locks.Condition, ("_peeps_waker",)),
        (queues.Queue, ("_peeps_origin", "_peeps_waker")),
    ):
        for name in names:
            setattr(cls, name, None)


def _exchange(function: Any, code: CodeType) -> _Undo:
    original: CodeType = function.__code__

    def undo() -> None:
        if function.__code__ is code:  # else somebody else came after us: theirs to keep
            function.__code__ = original

    function.__code__ = code
    return undo


def _flatten_enter(cls: Any) -> _Undo:
    """Gives `cls` an `__aenter__` with the body of its `acquire`, returning None.

    A subclass may override `acquire`; then that is called as before.
    """
    if "__aenter__" in vars(cls):
        raise rewrite.Mismatch(f"{cls.__qualname__} has an __aenter__ of its own")
    acquire = _function(cls.acquire)
    if acquire.__closure__ is not None:
        raise rewrite.Mismatch(f"{acquire.__qualname__}: free variables")
    tree = rewrite.function_tree(acquire)
    # The inherited one wraps `await self.acquire()`: the wait is recorded in the flattened body as well.
    for before, statement in ((True, _BEGAN), (False, _ENDED)):
        rewrite.insert(tree, Insert(awaits("fut"), statement, 1, before=before), acquire.__qualname__)
    for node in ast.walk(tree):
        if isinstance(node, ast.Return):
            node.value = ast.copy_location(ast.Constant(None), node)
    first = 1 if isinstance(tree.body[0], ast.Expr) else 0
    text = _GUARD_SEMAPHORE if cls is locks.Semaphore else _GUARD.format(cls.__name__)
    guard = ast.parse(text).body[0]
    assert isinstance(guard, ast.AsyncFunctionDef)
    for node in ast.walk(guard):
        ast.copy_location(node, tree.body[first])
    tree.body[first:first] = guard.body
    tree.name = "__aenter__"
    code = rewrite.compile_function(tree, acquire.__code__)
    enter = FunctionType(code, acquire.__globals__, "__aenter__")
    enter.__qualname__ = f"{cls.__qualname__}.__aenter__"
    enter.__module__ = cls.__module__
    cls.__aenter__ = enter

    def undo() -> None:
        if cls.__dict__.get("__aenter__") is enter:
            del cls.__aenter__

    return undo


_BEGAN = "_peeps_since = _peeps_now()"
_ENDED = "if _peeps_now() - _peeps_since >= _peeps.long_wait_ns:\n    _peeps.waited(self, _peeps_since)"
_GUARD = """
async def guard(self):
    if self.__class__ is not {0}:
        await self.acquire()
        return None
"""
# Ahead of `locked()`, which is slow: with permits left and nobody in the queue it is false.
_GUARD_SEMAPHORE = """
async def guard(self):
    if self.__class__ is not Semaphore and self.__class__ is not BoundedSemaphore:
        await self.acquire()
        return None
    if self._value > 0 and not self._waiters:
        self._value -= 1
        return None
"""
_CREATED = """
if _peeps_tasks_left:
    try:
        _peeps_f = _peeps_frame(1)
        if _peeps_f.f_code is not _peeps_step:
            task._peeps_origin = _peeps_created(self, _peeps_f, _peeps_tasks_left.pop())
    except Exception:
        pass
"""
# One step out of asyncio itself: a Condition makes its Lock, a BoundedSemaphore calls its base.
_MADE = """
if _peeps_resources_left:
    try:
        _peeps_resources_left.pop()
        _peeps_f = _peeps_frame(1)
        if _peeps_f.f_globals is _peeps_globals:
            _peeps_f = _peeps_f.f_back
        self._peeps_origin = (_peeps_f.f_code, _peeps_f.f_lasti, _peeps_now(), {0})
    except Exception:
        pass
"""


# Without asking first, and without a default in the class: Python reads and writes an attribute that only instances
# have several times faster than one that hides an attribute of the class.
_GAVE_LOCK = """
try:
    self._peeps_owner = None
except Exception:
    pass
"""


def _took_lock() -> str:
    """A bare `acquire()` that succeeded: by whom, and within the allowance where and when.

    Outside a running loop there is no current task, and `acquire` may still be stepped by hand. Before 3.12 the
    question which loop is running costs a system call; where a single task runs in the whole process, it is this one.
    """
    task = "_peeps_t = _peeps_task()" if internals.CURRENT_TASK_IN_C else "(_peeps_t,) = _peeps_running.values()"
    return f"""
try:
    {task}
    if _peeps_holders_left:
        _peeps_holders_left.pop()
        _peeps_f = _peeps_frame(1)
        self._peeps_owner = (_peeps_ref(_peeps_t), _peeps_f.f_code, _peeps_f.f_lasti, _peeps_now())
    else:
        self._peeps_owner = _peeps_ref(_peeps_t)
except ValueError:
    _peeps.took_lock(self)
except Exception:
    pass
"""
