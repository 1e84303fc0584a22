# SPDX-License-Identifier: Apache-2.0
"""Where a wait is said to be when libraries stand between the program and what it waits for."""

from __future__ import annotations

import asyncio
import importlib.util
import logging.handlers
import queue
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from peeps_otel.diagnosis.frames import place
from peeps_otel.diagnosis.wait_graph import WaitGraph
from peeps_otel.diagnosis.wording import doing
from peeps_otel.model import Graph
from peeps_otel.probes.asyncio.probe import AsyncioProbe
from tests.probes.program import here, running
from tests.probes.threads_world import World, world

_LIBRARY = """
import asyncio, queue, threading

class Worker:
    "Has a thread of its own that waits for work, as exporters and pools do."
    def __init__(self, name):
        self.work = queue.Queue()
        self.thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.thread.start()

    def _run(self):
        while self.work.get() is not None:
            pass

    def ask(self, answers):
        return self._answer(answers)

    def _answer(self, answers):
        return answers.get()

async def listen(event):
    await _next(event)

async def _next(event):
    await event.wait()

async def napping(seconds):
    await asyncio.sleep(seconds)
"""


@pytest.fixture
def library(tmp_path: Path) -> ModuleType:
    """Installed as pip does it: `acme-jobs` has the package `jobs`."""
    packages = tmp_path / "lib" / "python3.11" / "site-packages"
    (packages / "jobs").mkdir(parents=True)
    (packages / "jobs" / "core.py").write_text(_LIBRARY)
    info = packages / "acme_jobs-2.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-jobs\nVersion: 2.1\n")
    (info / "RECORD").write_text("jobs/core.py,sha256=x,1\nacme_jobs-2.1.dist-info/RECORD,,\n")
    spec = importlib.util.spec_from_file_location("jobs.core", packages / "jobs" / "core.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _waits_at(w: World, name: str, state: str = "waiting") -> str:
    wait = w.settled(name, state=state).thread(name).wait
    assert wait is not None
    return wait.source


# --- threads ----------------------------------------------------------------------------------------------------------


def test_own_code_that_waits_inside_a_library(library: ModuleType) -> None:
    answers: queue.Queue[int] = queue.Queue()
    with world() as w:
        worker = library.Worker("jobs-worker")
        w.cleaning += [lambda: worker.work.put(None), lambda: answers.put(1)]
        w.start("asker", lambda: worker.ask(answers))  # <asks>
        assert _waits_at(w, "asker") == here("asks")
        stack = w.look().thread("asker").stack
        assert [frame.library for frame in stack if frame.function == "Worker._answer"] == ["acme-jobs"]
        assert [frame.own for frame in stack if frame.file == __file__] == [True]


def test_a_librarys_own_thread(library: ModuleType) -> None:
    with world() as w:
        worker = library.Worker("jobs-worker")
        w.cleaning.append(lambda: worker.work.put(None))
        assert _waits_at(w, "jobs-worker") == "in acme-jobs"
        node = w.look().thread("jobs-worker")
        line = next(n for n, text in enumerate(_LIBRARY.splitlines(), 1) if "self.work.get()" in text)
        assert node.source == f"{library.__file__}:{line}", "where it begins, which is no bootstrap of threading's"
        assert doing(WaitGraph(Graph({node.id: node}, []), frozenset()), node.id) == "waits in queue.get in acme-jobs"


def test_a_thread_of_the_standard_library() -> None:
    with world() as w:
        listener = logging.handlers.QueueListener(queue.Queue())
        listener.start()
        w.cleaning.append(listener.stop)
        assert listener._thread is not None
        name = listener._thread.name
        assert _waits_at(w, name) == "in logging"
        timer = threading.Timer(600, print)
        timer.name = "timer"
        timer.start()
        w.cleaning.append(timer.cancel)
        assert _waits_at(w, "timer") == "in threading"
        assert "_bootstrap" not in w.look().thread("timer").source


# --- tasks ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("copies", [1, 300])  # of very many, the lines of a library's waits are not read
def test_a_task_that_runs_a_library_says_where_it_was_started(
    probe: AsyncioProbe, library: ModuleType, loop_kind: str, copies: int
) -> None:
    kept: list[asyncio.Task[Any]] = []

    async def main() -> None:
        event = asyncio.Event()
        for number in range(copies):
            kept.append(asyncio.create_task(library.listen(event), name=f"listener-{number}"))  # <listens>
            kept.append(asyncio.create_task(library.napping(600 + number), name=f"napper-{number}"))  # <naps>

    names = [f"{who}-{number}" for number in range(copies) for who in ("listener", "napper")]
    with running(probe, main, loop_kind) as program:
        seen = program.until(lambda seen: all(node.wait for node in seen.nodes.values() if node.name in names))
        nodes = [seen.task(name) for name in names]
        assert {node.wait.source for node in nodes if node.wait is not None and "listener" in node.name} == {
            f"in acme-jobs, started at {here('listens')}"
        }
        assert {place(node) for node in nodes if "napper" in node.name} == {f"in acme-jobs, started at {here('naps')}"}
        graph = WaitGraph(Graph({nodes[1].id: nodes[1]}, []), frozenset())
        assert doing(graph, nodes[1].id) == f"sleeps in acme-jobs, started at probes/{Path(here('naps')).name}"


def test_a_task_of_own_code_inside_a_library(probe: AsyncioProbe, library: ModuleType, loop_kind: str) -> None:
    kept: list[asyncio.Task[Any]] = []

    async def handler() -> None:
        await library.listen(asyncio.Event())  # <handles>

    async def main() -> None:
        kept.append(asyncio.create_task(handler(), name="handler"))

    with running(probe, main, loop_kind) as program:
        wait = program.settled("handler").task("handler").wait
    assert wait is not None
    assert wait.source == here("handles")


def test_a_task_that_a_library_started_for_itself(probe: AsyncioProbe, library: ModuleType) -> None:
    kept: list[asyncio.Task[Any]] = []
    source = (
        "import asyncio\n\ndef start(kept, coroutine):\n    kept.append(asyncio.create_task(coroutine, name='own'))\n"
    )
    start: dict[str, Callable[..., None]] = {}
    exec(compile(source, library.__file__ or "", "exec"), start)

    async def main() -> None:
        start["start"](kept, library.listen(asyncio.Event()))

    with running(probe, main) as program:
        wait = program.settled("own").task("own").wait
    assert wait is not None
    assert wait.source == "in acme-jobs", "where it was started is the library's line: not said"


# --- code without a file ----------------------------------------------------------------------------------------------


def test_a_cell_of_a_notebook_is_own_code(library: ModuleType) -> None:
    answers: queue.Queue[int] = queue.Queue()
    cell = compile("def asks(worker, answers):\n    worker.ask(answers)\n", "<ipython-input-3-0a1b>", "exec")
    names: dict[str, Any] = {}
    exec(cell, names)
    with world() as w:
        worker = library.Worker("jobs-worker")
        w.cleaning += [lambda: worker.work.put(None), lambda: answers.put(1)]
        thread = threading.Thread(target=names["asks"], args=(worker, answers), name="cell", daemon=True)
        thread.start()
        assert _waits_at(w, "cell") == "<ipython-input-3-0a1b>:2"
        assert w.look().thread("cell").source == "<ipython-input-3-0a1b>:2"
