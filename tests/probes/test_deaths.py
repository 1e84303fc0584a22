# SPDX-License-Identifier: Apache-2.0
"""What is kept of tasks and threads that an exception has ended, and that nothing of the program is kept with it."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import queue
import threading
import weakref
from collections.abc import Iterator

import pytest

from peeps_otel import semconv
from peeps_otel.model import Confidence, EdgeKind, NodeKind
from peeps_otel.probes.asyncio.probe import AsyncioProbe
from peeps_otel.probes.composite import CompositeProbe
from peeps_otel.probes.context import ProbeContext
from peeps_otel.probes.deaths.death import death_of
from peeps_otel.probes.deaths.probe import Deaths, Ledger
from peeps_otel.probes.patches.loop_errors import LoopErrorPatch
from peeps_otel.probes.patches.recorder import Recorder
from peeps_otel.probes.patches.thread_death import ThreadDeathPatch
from peeps_otel.probes.probe import Observation

Told = list[tuple[str, str, str, str, Confidence]]


class _Bad(Exception):
    """Takes a weak reference."""


class _Watch:
    def __init__(self, messages: bool = False) -> None:
        self.ledger, self.context = Ledger(), ProbeContext()
        self.context.failed = self.ledger.report
        deaths = Deaths(self.context, self.ledger, messages)
        self.probes = CompositeProbe([AsyncioProbe(Recorder(1 << 62), context=self.context), deaths], self.context)

    def dead(self) -> tuple[Observation, Told]:
        seen = self.probes.look(1_000, lambda: None)
        told: Told = []
        for node in seen.nodes.values():
            for edge in seen.edges.get(node.id, ()):
                if edge.kind is EdgeKind.HAD:
                    kind = seen.nodes[edge.dst].kind
                    error = str(node.attributes[semconv.DIED_OF])
                    told.append((str(node.attributes[semconv.DIED_AS]), node.name, error, kind, edge.confidence))
        return seen, sorted(told)


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    def ignore(arguments: threading.ExceptHookArgs) -> None:
        """Nothing is printed."""

    monkeypatch.setattr(threading, "excepthook", ignore)


@pytest.fixture
def patch() -> Iterator[tuple[ThreadDeathPatch, Ledger]]:
    ledger = Ledger()
    one = ThreadDeathPatch(ledger)
    one.install()
    assert one.coverage == []
    yield one, ledger
    one.uninstall()


async def _taker(jobs: asyncio.Queue[int]) -> None:
    while True:
        if await jobs.get():
            raise _Bad("secret")


async def _full(watch: _Watch, jobs: asyncio.Queue[int]) -> tuple[asyncio.Task[None], asyncio.Task[None]]:
    taker = asyncio.create_task(_taker(jobs), name="taker")
    await asyncio.sleep(0)
    watch.dead()
    jobs.put_nowait(1)
    await asyncio.sleep(0.01)
    jobs.put_nowait(2)
    putter = asyncio.create_task(jobs.put(3), name="putter")
    await asyncio.sleep(0)
    return taker, putter


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def test_a_task_that_died_with_a_queue_that_somebody_waits_for() -> None:
    async def main() -> None:
        watch = _Watch()
        taker, putter = await _full(watch, asyncio.Queue(1))
        seen, told = watch.dead()
        assert told == [
            ("task", "taker", f"{__name__}._Bad", NodeKind.RX, Confidence.EXACT),
            ("task", "taker", f"{__name__}._Bad", NodeKind.TX, Confidence.EXACT),
        ] or told == [("task", "taker", f"{__name__}._Bad", NodeKind.TX, Confidence.EXACT)]
        (node,) = {node.id: node for node in seen.nodes.values() if semconv.DIED_OF in node.attributes}.values()
        line = _taker.__code__.co_firstlineno + 3
        assert node.source == f"{__file__}:{line}"
        assert [(frame.function, frame.line) for frame in node.stack] == [("_taker", line)]
        assert semconv.DIED_MESSAGE not in node.attributes
        again, _ = watch.dead()
        assert again.nodes[node.id] is node
        await _end(putter)
        assert taker.done()
        assert watch.dead()[1] == []  # nobody waits for it any more

    asyncio.run(main())


def test_the_text_is_told_only_where_it_is_allowed() -> None:
    async def main() -> None:
        watch = _Watch(messages=True)
        _, putter = await _full(watch, asyncio.Queue(1))
        seen, _ = watch.dead()
        texts = [node.attributes.get(semconv.DIED_MESSAGE) for node in seen.nodes.values()]
        assert [text for text in texts if text is not None] == ["secret"]
        await _end(putter)

    asyncio.run(main())


def test_nothing_of_the_program_is_kept_alive() -> None:
    class Thing:
        """In the hands of the one who died."""

    async def main() -> None:
        watch = _Watch()
        thing = Thing()
        kept = weakref.ref(thing)
        jobs: asyncio.Queue[int] = asyncio.Queue(1)

        async def dies(_thing: Thing) -> None:
            await jobs.get()
            raise _Bad

        task = asyncio.create_task(dies(thing))
        del thing
        await asyncio.sleep(0)
        jobs.put_nowait(1)
        await asyncio.wait([task])
        jobs.put_nowait(1)
        putter = asyncio.create_task(jobs.put(1))
        await asyncio.sleep(0)
        assert watch.dead()[1]
        failure = weakref.ref(task.exception() or _Bad())
        assert kept() is not None
        del task
        await asyncio.sleep(0)
        gc.collect()
        assert (kept(), failure()) == (None, None)
        assert watch.dead()[1]  # the death is still known
        await _end(putter)

    asyncio.run(main())


def test_an_exception_that_is_no_accident_is_no_death() -> None:
    for exception in (SystemExit(), asyncio.CancelledError(), KeyboardInterrupt(), GeneratorExit()):
        assert death_of(NodeKind.TASK, "one", exception) is None


def test_looking_does_not_count_as_having_looked_at_the_exception() -> None:
    async def main() -> list[str]:
        told: list[str] = []
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: told.append(context["message"]))
        watch = _Watch()
        jobs: asyncio.Queue[int] = asyncio.Queue(1)
        _, putter = await _full(watch, jobs)
        watch.dead()
        await _end(putter)
        return told

    assert asyncio.run(main()) == ["Task exception was never retrieved"]


def test_one_that_was_collected_before_a_look_is_told_by_its_loop() -> None:
    async def main() -> None:
        watch = _Watch()
        patch = LoopErrorPatch(watch.ledger)
        patch.install()
        try:
            asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
            jobs: asyncio.Queue[int] = asyncio.Queue(1)
            jobs.put_nowait(1)
            task = asyncio.create_task(_taker(jobs), name="taker")
            await asyncio.wait([task])
            del task
            gc.collect()
            jobs.put_nowait(1)
            putter = asyncio.create_task(jobs.put(1), name="putter")
            await asyncio.sleep(0)
            _, told = watch.dead()
            assert ("task", "taker", f"{__name__}._Bad", NodeKind.TX, Confidence.EXACT) in told
            await _end(putter)
        finally:
            patch.uninstall()

    asyncio.run(main())


def test_a_thread(patch: tuple[ThreadDeathPatch, Ledger]) -> None:
    jobs: queue.Queue[int] = queue.Queue()
    jobs.put(1)

    def take() -> None:
        jobs.get()
        raise _Bad("secret")

    thread = threading.Thread(target=take, name="taker")
    thread.start()
    thread.join()
    (death,) = patch[1].take()
    assert (death.kind, death.name, death.error, death.message) == (
        NodeKind.THREAD,
        "taker",
        f"{__name__}._Bad",
        "secret",
    )
    assert death.stack[-1] == (take.__code__, take.__code__.co_firstlineno + 2)
    (had,) = [had for had in death.had if had.thing() is jobs]
    assert "get" in had.names


def test_a_thread_that_ends_as_it_should_tells_nothing(patch: tuple[ThreadDeathPatch, Ledger]) -> None:
    def leave() -> None:
        raise SystemExit

    for target in (leave, lambda: None):
        thread = threading.Thread(target=target)
        thread.start()
        thread.join()
    assert patch[1].take() == []


@pytest.mark.usefixtures("patch")
def test_the_programs_own_hook_is_called_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[type[BaseException]] = []

    def hook(arguments: threading.ExceptHookArgs) -> None:
        seen.append(arguments.exc_type)

    monkeypatch.setattr(threading, "excepthook", hook)

    def fail() -> None:
        raise _Bad

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    assert seen == [_Bad]


def test_after_uninstall_the_function_is_as_it_was() -> None:
    original = threading.Thread.__dict__["_bootstrap_inner"].__code__
    patch = ThreadDeathPatch(Ledger())
    patch.install()
    assert threading.Thread.__dict__["_bootstrap_inner"].__code__ is not original
    patch.uninstall()
    assert threading.Thread.__dict__["_bootstrap_inner"].__code__ is original


def test_a_program_that_fails_all_the_time_is_remembered_in_bounds() -> None:
    watch = _Watch()
    lock = threading.Lock()

    def fail() -> None:
        lock.release()

    for _ in range(1000):
        try:
            fail()
        except RuntimeError as error:
            watch.ledger.report(death_of(NodeKind.TASK, "one", error))
    assert len(watch.ledger.take()) == 256
