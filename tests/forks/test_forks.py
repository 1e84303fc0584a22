# SPDX-License-Identifier: Apache-2.0
"""A forked child is watched for what runs in it: nothing of the parent's that only lies in its memory counts.

Each program is a process of its own with the whole agent in it and in its children; what each of them found and saw
comes back with its pid.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="threads are read on Linux")]

_HEAD = """
import asyncio, concurrent.futures, logging, multiprocessing, os, select, socket, sys, threading, time
import reporting
reporting.begin()
sys.stdout.reconfigure(line_buffering=True)

def in_child(work):
    "Forks, works in the child, and waits for it."
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    print(child)
    assert os.waitpid(child, 0)[1] == 0
"""


class Reported:
    """What the processes of a program have said."""

    def __init__(self, lines: list[dict[str, object]], children: list[int], parent: int) -> None:
        self._lines = lines
        self.children = children
        self.parent = parent

    def found(self, pid: int) -> list[str]:
        return [str(line["found"]) for line in self._lines if line["pid"] == pid and "found" in line]

    def seen(self, pid: int) -> set[str]:
        return {str(line["seen"]) for line in self._lines if line["pid"] == pid and "seen" in line}


def run(tmp_path: Path, program: str) -> Reported:
    """Runs it to its end. What it prints are the pids of its children."""
    path, report = tmp_path / "program.py", tmp_path / "report"
    path.write_text(_HEAD + textwrap.dedent(program))
    report.touch()
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PEEPS_", "OTEL_"))}
    ours = {"FORKS_REPORT": str(report), "PEEPS_INTERVAL_MS": "200", "PYTHONPATH": str(Path(__file__).parent)}
    command = [sys.executable, "-W", "ignore::DeprecationWarning", str(path)]
    process = subprocess.Popen(command, env=kept | ours, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        out, err = process.communicate(timeout=90)
    finally:
        process.kill()
    assert (process.returncode, err) == (0, "")
    lines = [json.loads(line) for line in report.read_text().splitlines()]
    return Reported(lines, [int(line) for line in out.split()], process.pid)


def test_forked_in_the_step_of_a_loop_that_has_a_deadlock(tmp_path: Path) -> None:
    """The child is inside its parent's loop and task, and has a copy of two tasks that wait for each other."""
    told = run(
        tmp_path,
        """
        async def both(first, second):
            async with first:
                await asyncio.sleep(0.05)
                async with second:
                    pass

        async def main():
            a, b = asyncio.Lock(), asyncio.Lock()
            tasks = [asyncio.create_task(both(a, b), name="left"), asyncio.create_task(both(b, a), name="right")]
            await asyncio.sleep(1.5)
            in_child(lambda: time.sleep(4))

        asyncio.run(main())
        """,
    )
    (child,) = told.children
    assert any(one.startswith("PROVEN deadlock: left waits for Lock b") for one in told.found(told.parent))
    assert told.found(child) == []
    assert told.seen(child) == {"thread MainThread waiting sleep"}


def test_a_loop_that_the_child_starts_is_watched(tmp_path: Path) -> None:
    told = run(
        tmp_path,
        """
        async def forever():
            await asyncio.get_running_loop().create_future()

        async def both(first, second):
            async with first:
                await asyncio.sleep(0.05)
                async with second:
                    pass

        async def of_child():
            a, b = asyncio.Lock(), asyncio.Lock()
            tasks = [asyncio.create_task(both(a, b), name="up"), asyncio.create_task(both(b, a), name="down")]
            await asyncio.wait(tasks, timeout=5)

        async def main():
            idle = asyncio.create_task(forever(), name="of parent")
            await asyncio.sleep(0.5)
            in_child(lambda: threading.Thread(target=asyncio.run, args=(of_child(),)).start() or time.sleep(5))
            idle.cancel()

        asyncio.run(main())
        """,
    )
    (child,) = told.children
    assert any(one.startswith("PROVEN deadlock: ") and "up" in one for one in told.found(child))
    assert not any("of parent" in one for one in told.seen(child))
    assert any("task up waiting lock.acquire" in one for one in told.seen(child))


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_a_long_job_in_a_pool_of_processes_under_asyncio(tmp_path: Path, method: str) -> None:
    told = run(
        tmp_path,
        f"""
        def simulate():
            end = time.monotonic() + 5
            while time.monotonic() < end:
                time.sleep(1)
            return os.getpid()

        async def main():
            beat = asyncio.create_task(asyncio.sleep(60), name="heartbeat")
            context = multiprocessing.get_context("{method}")
            with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
                print(await asyncio.get_running_loop().run_in_executor(pool, simulate))

        if __name__ == "__main__":
            asyncio.run(main())
        """,
    )
    (child,) = told.children
    assert told.found(told.parent) == told.found(child) == []
    assert not any(one.startswith("task") for one in told.seen(child))
    # The fork server is a helper process of `multiprocessing`, and what it forks is not watched.
    assert (
        told.seen(child) == set() if method == "forkserver" else "thread MainThread waiting sleep" in told.seen(child)
    )


def test_workers_that_were_forked_before_they_served(tmp_path: Path) -> None:
    """As gunicorn does: a sync worker in `select`, one with threads whose main thread polls; none is `running`."""
    told = run(
        tmp_path,
        """
        listening = socket.create_server(("127.0.0.1", 0))

        def sync():
            select.select([listening], [], [], 4)

        def threaded():
            pool = concurrent.futures.ThreadPoolExecutor(2, thread_name_prefix="worker")
            jobs = [pool.submit(time.sleep, 4) for _ in range(2)]
            threading.Event().wait(4)

        def serve():
            for work in (sync, threaded):
                child = os.fork()
                if child == 0:
                    work()
                    os._exit(0)
                print(child)
            for _ in range(2):
                os.wait()

        time.sleep(0.5)
        serve()
        """,
    )
    sync, threaded = told.children
    assert told.found(sync) == told.found(threaded) == []
    main = {one for pid in (sync, threaded) for one in told.seen(pid) if "MainThread" in one}
    assert "thread MainThread waiting event.wait" in main
    assert not any("running" in one for one in main)


_KEPT = """
lock = threading.{kind}()

def keeper():
    with lock:
        kept.set()
        time.sleep(60)

def want():
    with lock:
        pass

kept = threading.Event()
threading.Thread(target=keeper, name="keeper", daemon=True).start()
kept.wait()
time.sleep(1.5)
in_child(lambda: threading.Thread(target=want, name="wants", daemon=True).start() or time.sleep(4))
"""


_IDENT_AGAIN = """
lock = threading.RLock()

class Door:
    def open(self):
        lock.acquire()
    def close(self):
        lock.release()

door = Door()
OWN = 1 << 20  # no other thread is given a stack of that size
threading.stack_size(OWN)
keepers = [threading.Thread(target=time.sleep, args=(60,), daemon=True) for _ in range(3)]
for one in keepers:
    one.start()
idents = {one.ident for one in keepers}
threading.stack_size(0)

def work():
    if threading.get_ident() in idents:
        door.open()
        at_work.set()
        time.sleep(60)
        door.close()
    else:
        time.sleep(60)

def want():
    door.open()

def child():
    global at_work
    at_work = threading.Event()
    threading.stack_size(OWN)
    for number in range(20):
        threading.Thread(target=work, name=f"work-{number}", daemon=True).start()
    if not at_work.wait(10):
        print("nobody has got such an ident")
    threading.Thread(target=want, name="want", daemon=True).start()
    time.sleep(4)

in_child(child)
"""


def test_a_recursive_lock_that_another_thread_held_at_the_fork_is_proven(tmp_path: Path) -> None:
    told = run(tmp_path, _KEPT.format(kind="RLock"))
    assert told.found(told.children[0]) == [
        f"PROVEN held_at_fork: thread wants waits for RLock lock, held by thread keeper of pid {told.parent} when this "
        "process was forked; nobody here can release it"
    ]
    assert told.found(told.parent) == []


def test_a_thread_here_that_got_the_ident_of_the_holder_is_not_the_holder(tmp_path: Path) -> None:
    """The stacks of the threads that a child has not got are used again, and with them their idents."""
    begin = "in_child(lambda: threading.Thread(target=want"
    again = """
holder = [one.ident for one in threading.enumerate() if one.name == "keeper"]

def follow():
    threading.stack_size(OWN)
    for number in range(20):
        one = threading.Thread(target=time.sleep, args=(60,), name=f"idle-{{number}}", daemon=True)
        one.start()
        if [one.ident] == holder:
            return True
    print("nobody has got it")

in_child(lambda: follow() and threading.Thread(target=want"""
    start = "threading.Thread(target=keeper"
    own = "OWN = 1 << 20  # no other thread is given a stack of that size\nthreading.stack_size(OWN)\n"
    program = _KEPT.replace(start, f"{own}{start}").replace("kept.wait()", "kept.wait()\nthreading.stack_size(0)")
    told = run(tmp_path, program.replace(begin, again).format(kind="RLock"))
    assert told.found(told.children[0]) == [
        f"LIKELY held_at_fork: thread wants waits for RLock lock, held by thread keeper of pid {told.parent}, as last "
        "seen before this process was forked; nobody here can release it"
    ]


def test_a_thread_here_that_got_the_ident_and_is_at_work_may_well_have_it(tmp_path: Path) -> None:
    told = run(tmp_path, _IDENT_AGAIN)
    assert [one for one in told.found(told.children[0]) if "held_at_fork" in one] == []


def test_a_plain_lock_that_another_thread_held_at_the_fork_is_likely(tmp_path: Path) -> None:
    told = run(tmp_path, _KEPT.format(kind="Lock"))
    assert told.found(told.children[0]) == [
        f"LIKELY held_at_fork: thread wants waits for Lock lock, held by thread keeper of pid {told.parent}, as last "
        "seen before this process was forked; nobody here can release it"
    ]


def test_a_plain_lock_of_a_thread_that_was_never_seen_with_it_is_told_by_what_that_left_behind(tmp_path: Path) -> None:
    """The thread computes in its block, so nobody could read what it has; in the child its stack still has the end of
    that block."""
    busy = _KEPT.replace("time.sleep(60)", "while True: sum(range(1000))").replace("time.sleep(4)", "time.sleep(12)")
    told = run(tmp_path, busy.format(kind="Lock"))
    assert told.found(told.children[0])[-1] == (
        f"LIKELY held_at_fork: thread wants waits for Lock lock, held by a thread of pid {told.parent} that was in its "
        "block, as last seen before this process was forked; nobody here can release it"
    )


def test_a_lock_that_the_forking_thread_holds_is_its_own(tmp_path: Path) -> None:
    told = run(
        tmp_path,
        """
        lock = threading.RLock()

        def want():
            with lock:
                pass

        def work():
            with lock:
                threading.Thread(target=want, name="wants", daemon=True).start()
                time.sleep(3)

        with lock:
            time.sleep(1)
            in_child(work)
        """,
    )
    (found,) = told.found(told.children[0])
    assert found.startswith("SLOW held_across_wait: thread wants waits for RLock lock, held by MainThread of pid ")


def test_logging_in_a_child_of_a_program_that_logs_all_the_time(tmp_path: Path) -> None:
    """`logging` makes its locks anew in the child."""
    told = run(
        tmp_path,
        """
        logger = logging.getLogger("busy")
        logger.addHandler(logging.Handler())
        logging.Handler.emit = lambda self, record: None
        logger.propagate = False
        stop = threading.Event()

        def busy():
            while not stop.is_set():
                logger.warning("again")

        thread = threading.Thread(target=busy)
        thread.start()
        time.sleep(1)

        def work():
            end = time.monotonic() + 3
            while time.monotonic() < end:
                logger.warning("in the child")
                time.sleep(0.05)

        process = multiprocessing.get_context("fork").Process(target=work)
        process.start()
        print(process.pid)
        process.join(20)
        stop.set()
        thread.join()
        """,
    )
    assert told.found(told.children[0]) == []
    assert any("MainThread" in one for one in told.seen(told.children[0]))


def test_a_child_of_a_child_that_was_forked_at_once(tmp_path: Path) -> None:
    """Before the child's own parts are built."""
    told = run(tmp_path, "time.sleep(0.5)\nin_child(lambda: in_child(lambda: time.sleep(3)))\n")
    seen = [told.seen(pid) for pid in told.children]
    assert len(seen) == 2
    assert {"thread MainThread waiting sleep"} in seen


def test_a_fork_while_a_thread_of_ours_imports(tmp_path: Path) -> None:
    """The child can import the same module: no lock of it is left in the hands of a thread that is not there."""
    (tmp_path / "takes_its_time.py").write_text("import time\ntime.sleep(0.5)\n")
    reported = run(
        tmp_path,
        """
        from peeps_otel import native
        sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
        begun = native.Event()

        def imports():
            with native.importing:
                begun.set()
                import takes_its_time

        native.Thread(imports, "peeps-test").start()
        begun.wait()

        def work():
            faulthandler.dump_traceback_later(20, exit=True)
            import takes_its_time
            with native.importing:
                pass

        import faulthandler
        in_child(work)
        """,
    )
    assert len(reported.children) == 1
