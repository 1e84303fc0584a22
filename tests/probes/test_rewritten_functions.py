# SPDX-License-Identifier: Apache-2.0
"""The functions of asyncio that are rewritten: each looks as it did, and comes back as it was."""

from __future__ import annotations

import ast
import asyncio
import inspect
import sys
import textwrap
import traceback
from asyncio import base_events, locks, queues, taskgroups, tasks
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import pytest

from peeps_otel.probes.asyncio.probe import AsyncioProbe
from peeps_otel.probes.patches import source_patch as rewrite
from peeps_otel.probes.patches.recorder import Recorder

_MODULES = (base_events, locks, queues, taskgroups, tasks)


def _codes() -> dict[str, CodeType]:
    """The code of every function and method of the modules that are rewritten, but for the names that are put there
    for rewritten code to use, which stay."""
    found: dict[str, CodeType] = {}
    for module in _MODULES:
        for name, thing in vars(module).items():
            if isinstance(thing, FunctionType) and not name.startswith("_peeps"):
                found[f"{module.__name__}.{name}"] = thing.__code__
            elif isinstance(thing, type) and thing.__module__ == module.__name__:
                for inner, method in vars(thing).items():
                    if isinstance(method, FunctionType):
                        found[f"{module.__name__}.{name}.{inner}"] = method.__code__
    return found


_REWRITTEN = {
    "asyncio.base_events.BaseEventLoop.create_task",
    "asyncio.locks.Lock.__init__",
    "asyncio.locks.Lock.__aenter__",
    "asyncio.locks.Lock.acquire",
    "asyncio.locks.Lock.release",
    "asyncio.locks.Lock._wake_up_first",
    "asyncio.locks.Semaphore.__init__",
    "asyncio.locks.Semaphore.__aenter__",
    "asyncio.locks.Semaphore.acquire",
    "asyncio.locks.Semaphore.release",
    "asyncio.locks.Semaphore._wake_up_next",
    "asyncio.locks.Event.set",
    "asyncio.locks.Event.wait",
    "asyncio.locks.Condition.wait",
    "asyncio.queues.Queue.__init__",
    "asyncio.queues.Queue.get",
    "asyncio.queues.Queue.put",
    "asyncio.queues.Queue._wakeup_next",
    "asyncio.locks.Condition._notify" if sys.version_info >= (3, 13) else "asyncio.locks.Condition.notify",
}


def test_uninstall_leaves_every_function_as_it_was() -> None:
    before = _codes()
    for _ in range(2):
        probe = AsyncioProbe(Recorder(10_000_000))
        probe.install()
        probe.install()  # the second does nothing
        assert probe.look(1).coverage == []
        during = _codes()
        assert {name for name in during if during[name] is not before.get(name)} == _REWRITTEN
        probe.uninstall()
        after = _codes()
        assert set(after) == set(before)
        assert all(after[name] is before[name] for name in before)
        probe.uninstall()


def test_aliases_taken_before_the_install_are_rewritten_too() -> None:
    acquire, lock_class = locks.Lock.acquire, asyncio.Lock
    probe = AsyncioProbe(Recorder(10_000_000))
    probe.install()
    try:
        assert acquire is lock_class.acquire is locks.Lock.acquire
        assert "_peeps" in acquire.__code__.co_names
    finally:
        probe.uninstall()


@pytest.mark.parametrize("name", sorted(_REWRITTEN - {name for name in _REWRITTEN if name.endswith("__aenter__")}))
def test_line_numbers_and_shape_of_a_rewritten_function_stay(name: str) -> None:
    before = _codes()[name]
    probe = AsyncioProbe(Recorder(10_000_000))
    probe.install()
    try:
        during = _codes()[name]
    finally:
        probe.uninstall()
    fields = ("co_name", "co_qualname", "co_filename", "co_firstlineno", "co_flags", "co_argcount")
    fields += ("co_freevars", "co_cellvars", "co_kwonlyargcount", "co_posonlyargcount")
    assert [getattr(during, field) for field in fields] == [getattr(before, field) for field in fields]
    names = [name for name in during.co_varnames if not name.startswith("_peeps")]
    assert names == list(before.co_varnames)
    lines_before = {line for *_, line in before.co_lines() if line is not None}
    assert {line for *_, line in during.co_lines() if line is not None} == lines_before


async def _raised(program: Callable[[], Any]) -> list[tuple[str, int | None, str]]:
    try:
        await program()
    except (Exception, asyncio.CancelledError) as error:
        return [(f.filename, f.lineno, f.name) for f in traceback.extract_tb(error.__traceback__)]
    raise AssertionError("nothing raised")


async def _release_of_nothing() -> None:
    asyncio.Lock().release()


async def _permits_below_zero() -> None:
    asyncio.Semaphore(-1)


async def _one_release_too_many() -> None:
    asyncio.BoundedSemaphore(1).release()


async def _condition_without_its_lock() -> None:
    await asyncio.Condition().wait()


async def _cancelled(waiting: Any) -> None:
    task = asyncio.ensure_future(waiting)
    await asyncio.sleep(0)
    task.cancel()
    await task


async def _cancelled_acquire() -> None:
    lock = asyncio.Lock()
    await lock.acquire()
    await _cancelled(lock.acquire())


async def _cancelled_put() -> None:
    queue: asyncio.Queue[int] = asyncio.Queue(1)
    queue.put_nowait(1)
    await _cancelled(queue.put(1))


@pytest.mark.parametrize(
    "program",
    [
        _release_of_nothing,
        _permits_below_zero,
        _one_release_too_many,
        _condition_without_its_lock,
        _cancelled_acquire,
        _cancelled_put,
        lambda: _cancelled(asyncio.Queue[int]().get()),
        lambda: _cancelled(asyncio.Event().wait()),
    ],
    ids=["release", "permits", "bounded", "condition", "acquire", "put", "get", "event"],
)
def test_tracebacks_are_the_same(program: Callable[[], Any]) -> None:
    without = asyncio.run(_raised(program))
    probe = AsyncioProbe(Recorder(10_000_000))
    probe.install()
    try:
        assert asyncio.run(_raised(program)) == without
    finally:
        probe.uninstall()


@pytest.mark.usefixtures("probe")
@pytest.mark.parametrize("base", [asyncio.Lock, asyncio.Semaphore])
def test_a_subclass_with_an_acquire_of_its_own_is_honoured(base: Any) -> None:
    calls: list[str] = []

    class Mine(base):
        async def acquire(self) -> bool:
            calls.append("acquire")
            return bool(await base.acquire(self))

        def release(self) -> None:
            calls.append("release")
            base.release(self)

    async def main() -> None:
        one: Any = Mine()
        async with one as value:
            assert value is None
            assert one.locked()
        assert not one.locked()

    asyncio.run(main())
    assert calls == ["acquire", "release"]


@pytest.mark.usefixtures("probe")
def test_a_block_of_an_unchanged_lock() -> None:
    async def main() -> None:
        for one in (asyncio.Lock(), asyncio.Semaphore(), asyncio.BoundedSemaphore(), asyncio.Condition()):
            async with one as value:
                assert value is None
                assert one.locked()
            assert not one.locked()

    asyncio.run(main())


def test_another_function_than_expected_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def release(self: Any) -> None:
        self._locked = not self._locked

    async def acquire(_self: Any) -> bool:
        return True

    monkeypatch.setattr(locks.Lock, "release", release)
    monkeypatch.setattr(locks.Lock, "acquire", acquire)
    codes = (release.__code__, acquire.__code__)
    probe = AsyncioProbe(Recorder(10_000_000))
    probe.install()
    try:
        coverage = probe.look(1).coverage
        assert (release.__code__, acquire.__code__) == codes
        assert "__aenter__" not in vars(locks.Lock)
    finally:
        probe.uninstall()
    prefix = f"not recorded: {test_another_function_than_expected_is_left_alone.__name__}.<locals>"
    assert coverage == [
        f"{prefix}.acquire: 0 places found where 1 were expected",
        f"{prefix}.acquire: 0 places found where 1 were expected",
        f"{prefix}.release: 0 places found where 1 were expected",
    ]


def test_code_that_somebody_else_put_there_since_is_theirs() -> None:
    probe = AsyncioProbe(Recorder(10_000_000))
    original = locks.Event.wait.__code__
    probe.install()
    ours = locks.Event.wait.__code__
    theirs = ours.replace(co_name="wait")
    locks.Event.wait.__code__ = theirs
    try:
        probe.uninstall()
        assert locks.Event.wait.__code__ is theirs
    finally:
        locks.Event.wait.__code__ = original


def test_a_task_suspended_in_rewritten_code_goes_on_after_the_uninstall() -> None:
    probe = AsyncioProbe(Recorder(0))
    probe.install()
    try:

        async def main() -> str:
            lock, event = asyncio.Lock(), asyncio.Event()
            await lock.acquire()

            async def waiter() -> str:
                async with lock:
                    await event.wait()
                return "done"

            task = asyncio.create_task(waiter())
            await asyncio.sleep(0)
            probe.uninstall()
            lock.release()
            await asyncio.sleep(0)
            event.set()
            return await task

        assert asyncio.run(main()) == "done"
    finally:
        probe.uninstall()


def test_inserted_statements_stand_where_they_belong() -> None:
    tree = ast.parse("async def f(self):\n    try:\n        await fut\n    finally:\n        self._locked = True\n")
    rewrite.insert(tree, rewrite.Insert(rewrite.awaits("fut"), "before()", 1, before=True), "f")
    rewrite.insert(tree, rewrite.Insert(rewrite.assigns("_locked", True), "after()", 1), "f")
    assert ast.unparse(tree) == (
        "async def f(self):\n    try:\n        before()\n        await fut\n"
        "    finally:\n        self._locked = True\n        after()"
    )
    with pytest.raises(rewrite.Mismatch, match="f: 1 places found where 2 were expected"):
        rewrite.insert(tree, rewrite.Insert(rewrite.awaits("fut"), "x()", 2), "f")


def _defined_in(module: ModuleType) -> list[FunctionType]:
    classes = [cls for cls in vars(module).values() if isinstance(cls, type) and cls.__module__ == module.__name__]
    found = [one for owner in (module, *classes) for one in vars(owner).values() if isinstance(one, FunctionType)]
    return [one for one in found if one.__module__ == module.__name__ and one.__name__ != "<lambda>"]


@pytest.mark.parametrize("module", [base_events, locks, queues], ids=lambda module: module.__name__)
def test_the_source_of_a_function_is_found_as_inspect_finds_it_and_without_making_tokens_of_it(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    functions = [one for one in _defined_in(module) if not hasattr(one, "__wrapped__")]
    expected: list[str] = []
    for function in functions:
        lines, first = inspect.getsourcelines(function)
        tree = ast.parse(textwrap.dedent("".join(lines)))
        ast.increment_lineno(tree, first - 1)
        node = tree.body[0]
        assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        node.decorator_list = []
        expected.append(ast.dump(node, include_attributes=True))
    monkeypatch.delattr(inspect, "getsourcelines")
    found = [ast.dump(rewrite.function_tree(function), include_attributes=True) for function in functions]
    assert len(functions) > 10
    assert found == expected


def test_a_text_that_is_not_indented_as_its_function_is_left_to_inspect(tmp_path: Path) -> None:
    text = 'def f(self):\n    return """\nb\n# c\n"""\n\ndef g(self):\n    return 1\n'
    path = tmp_path / "odd.py"
    path.write_text(text)
    names: dict[str, Any] = {}
    exec(compile(text, str(path), "exec"), names)
    tree = rewrite.function_tree(names["f"])
    assert ast.unparse(tree.body[0]) == "return '\\nb\\n# c\\n'"
