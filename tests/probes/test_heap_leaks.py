# SPDX-License-Identifier: Apache-2.0
"""The leak proof, on programs of their own: what they have planted and nothing else."""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from peeps_otel.probes.heap import fork as heap_fork
from peeps_otel.probes.heap import leaks as heap_leaks
from peeps_otel.probes.internals.sharing import COPY_NAME
from tests.support.waiting import eventually

PROGRAM = Path(__file__).with_name("leaky_program.py")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.version_info >= (3, 14), reason="not shown to be right on this Python"),
]


def run(code: str | Path, *arguments: str) -> Any:
    """What a program prints as JSON; it must say nothing else."""
    command = [sys.executable, *([str(code)] if isinstance(code, Path) else ["-c", code]), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="copies are only made on Linux")
def test_all_that_is_lost_is_found_and_nothing_else(loop_kind: str) -> None:
    said = run(PROGRAM, loop_kind)
    assert said["report"]["not_run"] == said["report"]["in_process"] == ""
    planted = {name for name in said["all"] if name.startswith("leak-")}
    assert len(planted) >= 23
    assert said["found"] == dict.fromkeys(planted, True)
    assert len([name for name in said["all"] if name.startswith("live-")]) >= 22
    assert said["report"]["pause_ns"] > 0
    assert said["report"]["objects"] > 10_000


IN_PROCESS = """
import asyncio, json, signal
from peeps_otel.probes.heap import leaks as heap_leaks
from peeps_otel.probes.internals.sharing import COPY_NAME
from tests.support.waiting import eventually
signal.signal(signal.SIGCHLD, lambda *unused: None)

async def lost():
    await asyncio.get_running_loop().create_future()

async def main():
    task = asyncio.create_task(lost())
    sleeper = asyncio.create_task(asyncio.sleep(100))
    await asyncio.sleep(0.05)
    report = await asyncio.to_thread(heap_leaks.check)
    names = {id(task): "lost", id(sleeper): "sleeper"}
    print(json.dumps([[(names[one.task], one.sure) for one in report.lost], report.in_process, report.pause_ns]))

asyncio.run(main())
"""


def test_where_no_copy_may_be_made_nothing_is_proven() -> None:
    found, reason, pause_ns = run(IN_PROCESS)
    assert found == [["lost", False]]
    assert "SIGCHLD" in reason
    assert pause_ns is None


DYING = """
import asyncio, gc, json
from peeps_otel.probes.heap import leaks as heap_leaks
from peeps_otel.probes.internals.sharing import COPY_NAME
from tests.support.waiting import eventually
gc.disable()

async def lost():
    await asyncio.get_running_loop().create_future()

async def main():
    asyncio.create_task(lost(), name="nobody holds it")
    held = asyncio.create_task(lost(), name="held")
    await asyncio.sleep(0.05)
    report = await asyncio.to_thread(heap_leaks.check)
    names = {id(task): task.get_name() for task in asyncio.all_tasks()}
    print(json.dumps({names[one.task]: one.dying for one in report.lost}), flush=True)
    import os
    os._exit(0)

asyncio.run(main())
"""


def test_a_task_that_nobody_holds_is_told_apart() -> None:
    assert run(DYING) == {"nobody holds it": True, "held": False}


@pytest.fixture
def busy() -> Iterator[None]:
    """Threads that want the interpreter all the time, as a copy must not wait for them."""
    stop = threading.Event()

    def spin() -> None:
        while not stop.is_set():
            sum(range(1000))

    threads = [threading.Thread(target=spin, daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    yield
    stop.set()
    for thread in threads:
        thread.join(30)


@pytest.mark.skipif(sys.platform != "linux", reason="copies are only made on Linux")
class TestCopy:
    def test_it_computes_beside_busy_threads_and_leaves_nothing(self, busy: None) -> None:
        mask, interval, enabled = (
            signal.pthread_sigmask(signal.SIG_BLOCK, ()),
            sys.getswitchinterval(),
            gc.isenabled(),
        )
        files, children = len(os.listdir("/proc/self/fd")), _children()
        for number in range(20):
            forked = heap_fork.on_a_copy(lambda _, n=number: str(sum(range(100_000)) + n).encode(), 30)
            assert forked.answer == str(4999950000 + number).encode()
            assert forked.pause_ns > 0
        assert len(os.listdir("/proc/self/fd")) == files
        assert gc.isenabled() == enabled
        assert sys.getswitchinterval() == interval
        assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == mask
        assert _children() == children

    def test_no_hook_runs_in_it(self, tmp_path: Path) -> None:
        heard = tmp_path / "heard"
        code = f"""
import atexit, json, os, sys, threading
from peeps_otel.probes.heap import fork as heap_fork
me = os.getpid()
def hear(*unused):
    if os.getpid() != me:
        open({str(heard)!r}, "a").close()
atexit.register(hear)
os.register_at_fork(before=lambda: sys.exit("before"), after_in_child=hear)
class Local(threading.local):
    def __del__(self): hear()
class Loud:
    def __del__(self): hear()
local = Local(); local.loud = Loud()
other = threading.Thread(target=lambda: (setattr(local, "loud", Loud()), threading.Event().wait()), daemon=True)
other.start()
print(json.dumps(heap_fork.on_a_copy(lambda _: str(os.getpid() != me).encode(), 10).answer.decode()), flush=True)
os._exit(0)
"""
        assert run(code) == "True"
        assert not heard.exists()

    def test_grpc_neither_stops_its_threads_nor_says_that_it_could_not(self) -> None:
        pytest.importorskip("grpc")
        code = """
import asyncio, grpc
from peeps_otel.probes.heap import fork as heap_fork

async def answer(request, context):
    return request

class Echo(grpc.GenericRpcHandler):
    def service(self, details):
        return grpc.unary_unary_rpc_method_handler(answer)

async def main():
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Echo(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        ask = channel.unary_unary("/shop/Echo")
        for _ in range(5):
            await ask(b"before")
            answer = await asyncio.to_thread(heap_fork.on_a_copy, lambda _: b"looked", 30)
            assert answer.answer == b"looked"
            print((await ask(b"works on")).decode())
    await server.stop(None)

asyncio.run(main())
"""
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, "works on\n" * 5, "")

    def test_one_that_stands_still_at_once_ends_with_its_process(self) -> None:
        """A thread asks for the interpreter in the moment of the fork, so that the copy waits for that thread."""
        code = """
import ctypes, functools, threading
from peeps_otel.probes.heap import fork as heap_fork
libc = ctypes.PyDLL(None)
fork_lasts = ctypes.PYFUNCTYPE(None)(functools.partial(libc.usleep, 900_000))
libc["__register_atfork"](fork_lasts, None, None, None)
def asks():
    while True:
        pass
threading.Thread(target=asks, daemon=True).start()
heap_fork.on_a_copy(lambda _: b"", 30)
"""
        program = subprocess.Popen([sys.executable, "-c", code])
        try:
            copies = eventually(lambda: _children_of(program.pid), seconds=30)
            assert _stands_still(copies[0]), "the copy went on: this tests nothing"
        finally:
            program.kill()
            program.wait()
        eventually(lambda: not Path(f"/proc/{copies[0]}").exists(), seconds=10)

    def test_what_fails_in_it_is_said(self) -> None:
        def fail(_: object) -> bytes:
            raise ValueError("no good")

        children = _children()
        with pytest.raises(RuntimeError, match="ValueError: no good"):
            heap_fork.on_a_copy(fail, 10)
        assert _children() == children

    def test_one_that_takes_too_long_is_ended(self) -> None:
        def forever(_: object) -> bytes:
            while True:
                pass

        children = _children()
        with pytest.raises(TimeoutError):
            heap_fork.on_a_copy(forever, 0.5)
        assert _children() == children

    def test_it_holds_no_file_of_the_program(self) -> None:
        reading, writing = os.pipe()

        def look(_: object) -> bytes:
            return json.dumps(sorted(os.listdir("/proc/self/fd"))).encode()

        open_there = json.loads(heap_fork.on_a_copy(look, 10).answer)
        os.close(reading)
        os.close(writing)
        assert str(reading) not in open_there
        assert len(open_there) == 2  # its pipe, and the folder it was looking at


def _children_of(process: int) -> list[str]:
    """Children of all its threads."""
    tasks = Path(f"/proc/{process}/task").iterdir()
    return [child for task in tasks for child in (task / "children").read_text().split()]


def _stands_still(process: str) -> bool:
    """That it still has its parent's name after a while in which it could have got its own."""
    time.sleep(0.3)
    return Path(f"/proc/{process}/comm").read_text().strip() != COPY_NAME.decode()


def _children() -> list[str]:
    return Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text().split()


def test_a_task_that_has_gone_on_is_not_lost() -> None:
    async def main() -> tuple[list[bool], bool]:
        future = asyncio.get_running_loop().create_future()

        async def wait_for() -> None:
            await future
            await asyncio.sleep(100)

        task = asyncio.create_task(wait_for())
        await asyncio.sleep(0)
        one = heap_leaks.LostTask(id(task), id(future), True, False)
        found = [heap_leaks.is_lost(task, one)]
        report = heap_leaks.LeakReport([one])
        assert [t for t, _ in heap_leaks.lost_tasks(report)] == [task]
        future.set_result(None)
        found.append(heap_leaks.is_lost(task, one))
        await asyncio.sleep(0.01)
        found.append(heap_leaks.is_lost(task, one))
        gone = heap_leaks.lost_tasks(report) == []
        task.cancel()
        return found, gone

    assert asyncio.run(main()) == ([True, False, False], True)


@pytest.mark.skipif(importlib.util.find_spec("aiohttp") is None, reason="aiohttp is not installed")
def test_a_server_with_a_few_lost_handlers(loop_kind: str) -> None:
    said = run(Path(__file__).with_name("leaky_server.py"), loop_kind)
    assert said["not_run"] == ""
    assert said["lost"] == {"stuck handler": 5, "its connection": 5} or said["lost"] == {"stuck handler": 5}
    assert said["blocked"] > 60


def test_time_is_limited() -> None:
    began = time.monotonic()
    report = heap_leaks.check(timeout_s=0.001)
    assert "in time" in report.not_run or "within" in report.not_run
    assert time.monotonic() - began < 30
