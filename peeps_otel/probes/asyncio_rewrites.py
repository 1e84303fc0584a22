# SPDX-License-Identifier: Apache-2.0
"""Which functions of asyncio are rewritten, and how.

Recorded are: where a task, lock, semaphore or queue was made; who took a lock or permit by a bare `acquire()`; when a
wait began (only where there is one). `async with lock` records nothing: the holder can be read off the stack of its
coroutine. It even gets faster, because `__aenter__` takes over the body of `acquire` and saves a frame.
"""

from __future__ import annotations

import ast
from asyncio import base_events, locks, queues, taskgroups, tasks
from collections.abc import Callable
from types import CodeType, FunctionType, ModuleType
from typing import Any

from . import rewrite
from .recorder import Recorder
from .rewrite import Insert, adds_to, assigns, awaits, is_last, returns

_Undo = Callable[[], None]


def install(recorder: Recorder) -> tuple[list[_Undo], list[str]]:
    """Rewrites what can be rewritten. Returns how to undo it, and what was left alone and why."""
    undo: list[_Undo] = []
    refused: list[str] = []
    for module in (base_events, locks, queues, tasks, taskgroups):
        _give_names(module, recorder)

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


def install_in_front_of_foreign_loops() -> tuple[list[_Undo], list[str]]:
    """For loops written in C (uvloop): records a task's origin where asyncio hands the coroutine over."""
    undo: list[_Undo] = []
    refused: list[str] = []
    edits = [Insert(returns("task"), "_peeps.created_unless_known(task)", 1, before=True)]
    for function in (tasks.create_task, taskgroups.TaskGroup.create_task):
        try:
            undo.append(_exchange(function, rewrite.rewritten(_function(function), edits)))
        except (rewrite.Mismatch, OSError, SyntaxError, AttributeError) as reason:
            refused.append(f"not recorded: {reason}")
    return undo, refused


def _edits() -> list[tuple[FunctionType, list[Insert]]]:
    def wait(future: str) -> list[Insert]:
        ended = f"if _peeps_now() - {future}._peeps_since >= _peeps.long_wait_ns:\n    _peeps.waited(self, {future})\n"
        return [
            Insert(awaits(future), f"{future}._peeps_since = _peeps_now()", 1, before=True),
            Insert(awaits(future), ended, 1),
        ]

    take_permit = Insert(returns(True), "_peeps.took_permit(self)", 2, before=True)
    give_permit = "if '_peeps_holders' in self.__dict__:\n    _peeps.gave_permit(self)"
    create = Insert(returns("task"), "_peeps.created(task, self)", 1, before=True)
    queue: Any = queues.Queue
    table: list[tuple[Any, list[Insert]]] = [
        (base_events.BaseEventLoop.create_task, [create]),
        (locks.Lock.__init__, [_made(locks.Lock.__init__)]),
        (locks.Semaphore.__init__, [_made(locks.Semaphore.__init__, "value")]),
        (queue.__init__, [_made(queue.__init__)]),
        (locks.Lock.acquire, [*wait("fut"), Insert(assigns("_locked", True), "_peeps.took_lock(self)", 2)]),
        (locks.Lock.release, [Insert(assigns("_locked", False), "self._peeps_owner = None", 1)]),
        (locks.Semaphore.acquire, [*wait("fut"), take_permit]),
        (locks.Semaphore.release, [Insert(adds_to("_value"), give_permit, 1)]),
        (locks.Event.wait, wait("fut")),
        (locks.Condition.wait, wait("fut")),
        (queue.get, wait("getter")),
        (queue.put, wait("putter")),
    ]
    return [(_function(function), edits) for function, edits in table]


def _made(function: Any, initial: str = "None") -> Insert:
    return Insert(is_last(_function(function)), f"_peeps.made(self, {initial})", 1)


def _function(function: Any) -> FunctionType:
    return function


def _give_names(module: ModuleType, recorder: Recorder) -> None:
    import time

    setattr(module, "_peeps", recorder)  # noqa: B010  - pyright knows these modules and refuses the assignment
    setattr(module, "_peeps_now", time.time_ns)  # noqa: B010


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
    for before, statement in ((True, "fut._peeps_since = _peeps_now()"), (False, _ENDED)):
        rewrite.insert(tree, Insert(awaits("fut"), statement, 1, before=before), acquire.__qualname__)
    for node in ast.walk(tree):
        if isinstance(node, ast.Return):
            node.value = ast.copy_location(ast.Constant(None), node)
    first = 1 if isinstance(tree.body[0], ast.Expr) else 0
    guard = ast.parse(_GUARD.format(cls.__name__)).body[0]
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


_ENDED = "if _peeps_now() - fut._peeps_since >= _peeps.long_wait_ns:\n    _peeps.waited(self, fut)"
_GUARD = """
async def guard(self):
    if self.__class__.acquire is not {0}.acquire:
        await self.acquire()
        return None
"""
