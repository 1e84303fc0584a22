# SPDX-License-Identifier: Apache-2.0
"""The program must not notice: nothing is kept alive, and no code of the program runs."""

from __future__ import annotations

import asyncio
import gc
from typing import Any
from weakref import ref

from peeps_otel.probes.asyncio.probe import AsyncioProbe
from tests.probes.program import SECOND, kept, running


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
    table = probe._table  # pyright: ignore[reportPrivateUsage]  # what it keeps is what is looked at
    kept_by_probe = (table, table.by_sequence, probe._resources)  # pyright: ignore[reportPrivateUsage]  all it has
    assert [len(things) for things in kept_by_probe] == [0, 0, 0]


class _Hostile:
    """Writes down everything that is done to it, once armed."""

    calls: list[str] = []  # noqa: RUF012  of all instances
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
