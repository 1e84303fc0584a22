# SPDX-License-Identifier: Apache-2.0
"""The program must not notice: nothing is kept alive, no code of the program runs, every function comes back."""

from __future__ import annotations

import ast
import asyncio
import gc
import sys
import traceback
from asyncio import base_events, locks, queues, taskgroups, tasks
from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any
from weakref import ref

import pytest

from peeps_otel.probes.asyncio.probe import AsyncioProbe
from peeps_otel.probes.patches import source_patch as rewrite
from peeps_otel.probes.patches.recorder import Recorder
from tests.probes.program import SECOND, kept, running

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


def test_nothing_is_kept_alive(probe: AsyncioProbe, loop_kind: str) -> None:
    class Result:
        pass

    references: list[ref[Any]] = []

    async def holder(lock: asyncio.Lock, permits: asyncio.Semaphore, jobs: asyncio.Queue[Any], _thing: Result) -> None:
        async with lock:
            await permits.acquire()
            await jobs.get()

    async def waiter(lock: asyncio.Lock, event: asyncio.Event) -> None:
        async with lock:
            await event.wait()

    async def on_future(future: asyncio.Future[Any]) -> None:
        await future

    async def main() -> None:
        lock, permits, jobs, event = asyncio.Lock(), asyncio.Semaphore(), asyncio.Queue[Any](), asyncio.Event()
        future, thing = asyncio.get_running_loop().create_future(), Result()
        tasks = [
            asyncio.create_task(holder(lock, permits, jobs, thing), name="holder"),
            asyncio.create_task(waiter(lock, event), name="waiter"),
            asyncio.create_task(on_future(future), name="on future"),
        ]
        kept.extend(tasks)
        references.extend(map(ref, [lock, permits, jobs, event, future, thing, *tasks]))
        references.extend(ref(task.get_coro()) for task in tasks)

    with running(probe, main, loop_kind) as program:
        program.settled("holder", "waiter", "on future")
        program.look(ahead_ns=60 * SECOND)
        assert all(reference() is not None for reference in references)
        for index in range(len(kept)):
            program.call(kept[index].cancel)
        program.call(kept.clear)
        gc.collect()
        alive = [r() for r in references if r() is not None]
        assert alive == []
        seen = program.look()
        assert [node.name for node in seen.nodes.values() if node.kind != "event"] == ["harness"]


def test_nothing_of_a_finished_program_is_left_in_the_probe(probe: AsyncioProbe) -> None:
    async def holder(lock: asyncio.Lock) -> None:
        async with lock:
            await asyncio.get_running_loop().create_future()

    async def main() -> None:
        kept.append(asyncio.create_task(holder(asyncio.Lock()), name="holder"))

    with running(probe, main) as program:
        program.settled("holder")
    kept.clear()
    gc.collect()
    observation = probe.look(1)
    assert (observation.nodes, observation.edges) == ({}, {})
    table = probe._table  # pyright: ignore[reportPrivateUsage]
    kept_by_probe = (table, table.by_sequence, probe._resources)  # pyright: ignore[reportPrivateUsage]  all it has
    assert [len(things) for things in kept_by_probe] == [0, 0, 0]


class _Hostile:
    """Writes down everything that is done to it, once armed."""

    calls: list[str] = []  # noqa: RUF012
    armed = False

    @classmethod
    def note(cls, what: str) -> None:
        if cls.armed:
            cls.calls.append(what)

    def __getattribute__(self, name: str) -> Any:
        _Hostile.note(f"getattribute {name}")
        return object.__getattribute__(self, name)

    def __getattr__(self, name: str) -> Any:
        _Hostile.note(f"getattr {name}")
        raise AttributeError(name)

    @property
    def __class__(self) -> Any:
        _Hostile.note("class")
        return asyncio.Lock

    @__class__.setter
    def __class__(self, value: Any) -> None:
        _Hostile.note("set class")

    def __eq__(self, other: object) -> bool:
        _Hostile.note("eq")
        return True

    def __hash__(self) -> int:
        _Hostile.note("hash")
        return 1

    def __bool__(self) -> bool:
        _Hostile.note("bool")
        raise RuntimeError("bool")

    def __len__(self) -> int:
        _Hostile.note("len")
        raise RuntimeError("len")

    def __iter__(self) -> Any:
        _Hostile.note("iter")
        raise RuntimeError("iter")

    def __repr__(self) -> str:
        _Hostile.note("repr")
        raise RuntimeError("repr")

    def __call__(self, *_: Any) -> None:
        _Hostile.note("call")

    async def __aenter__(self) -> None:
        pass

    async def __aexit__(self, *_: Any) -> None:
        pass


class _HostileFuture:
    """An awaitable of the program's own that asyncio takes for a future."""

    _asyncio_future_blocking = False

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.callbacks: list[Any] = []

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return self.loop

    def add_done_callback(self, callback: Any, **_: Any) -> None:
        self.callbacks.append(callback)

    def cancel(self, *_: Any, **__: Any) -> bool:
        for callback in self.callbacks:
            self.loop.call_soon(callback, self)
        return False

    def result(self) -> None:
        pass

    def done(self) -> bool:
        _Hostile.note("future done")
        return False

    def __getattr__(self, name: str) -> Any:
        _Hostile.note(f"future getattr {name}")
        raise AttributeError(name)

    def __await__(self) -> Any:
        self._asyncio_future_blocking = True
        yield self


def test_no_code_of_the_program_is_run(probe: AsyncioProbe) -> None:  # noqa: C901  one case after the other
    hostile = _Hostile()

    class Carrier:
        def __init__(self) -> None:
            self.thing = hostile

    class Lock(asyncio.Lock):
        """A subclass that does not like to be asked."""

        def locked(self) -> bool:
            _Hostile.note("locked")
            raise RuntimeError("locked")

        def __eq__(self, other: object) -> bool:
            _Hostile.note("lock eq")
            return self is other

        __hash__ = asyncio.Lock.__hash__

    class Event(asyncio.Event):
        def is_set(self) -> bool:
            _Hostile.note("is_set")
            raise RuntimeError("is_set")

    class Items(list[int]):
        def __len__(self) -> int:
            _Hostile.note("items len")
            return 1

    class Queue(asyncio.Queue[int]):
        def _init(self, maxsize: int) -> None:
            self._queue = Items()

        @property
        def maxsize(self) -> int:
            _Hostile.note("maxsize")
            return 1

    async def in_locals(_arg: Any, *_rest: Any, **_more: Any) -> None:
        local, listed, mapped, carrier = hostile, [hostile], {"a": hostile}, Carrier()
        async with hostile:
            await asyncio.get_running_loop().create_future()
        del local, listed, mapped, carrier

    async def in_closure() -> None:
        await asyncio.get_running_loop().create_future()
        hostile()

    async def on_lock(lock: asyncio.Lock) -> None:
        async with lock:
            pass

    async def hold(lock: asyncio.Lock) -> None:
        async with lock:
            await asyncio.get_running_loop().create_future()

    async def on_event() -> None:
        event = Event()
        await asyncio.Event.wait(_no_answer(event))

    def _no_answer(event: asyncio.Event) -> asyncio.Event:
        setattr(event, "is_set", None)  # noqa: B010  an error for a type checker, and not for Python
        return event

    async def on_put(queue: asyncio.Queue[int]) -> None:
        await queue.put(1)

    async def with_callback() -> None:
        future = asyncio.get_running_loop().create_future()
        future.add_done_callback(hostile)
        future.add_done_callback(lambda _: hostile.__class__)
        await future

    async def on_own_future() -> None:
        await _HostileFuture(asyncio.get_running_loop())

    async def main() -> None:
        lock, queue = Lock(), Queue(1)
        for name, coroutine in (
            ("locals", in_locals(hostile, hostile, key=hostile)),
            ("closure", in_closure()),
            ("hold", hold(lock)),
            ("lock", on_lock(lock)),
            ("event", on_event()),
            ("put", on_put(queue)),
            ("callback", with_callback()),
            ("own future", on_own_future()),
        ):
            kept.append(asyncio.create_task(coroutine, name=name))

    with running(probe, main) as program:
        program.until(lambda s: all(s.operation(n) is not None for n in ("locals", "lock", "put", "callback")))
        _Hostile.armed = True
        try:
            program.look()
            program.look()
            seen = program.look(ahead_ns=60 * SECOND)
        finally:
            _Hostile.armed = False
        assert _Hostile.calls == []
        assert seen.needs("lock") == ["lock lock"]
        assert seen.holders("lock lock") == ["task hold"]
        assert seen.operation("put") == "queue.put"
        assert seen.operation("own future") == "future"
