# SPDX-License-Identifier: Apache-2.0
"""Programs in which something could be stuck unseen: each look says so, and none of them is broken by us.

Each is a process of its own: gevent and eventlet patch for good.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from typing import Any

import pytest

from peeps_otel.model.coverage import blind, cannot_judge
from peeps_otel.probes.internals import current_frames

pytestmark = pytest.mark.slow

_REPORT = """
def report(**more):
    import json, os, sys, time
    from peeps_otel import agent
    watcher, probes = agent.running().watcher, agent.running().parts.probes
    end = time.monotonic() + 20
    while not watcher.cpu_ns and time.monotonic() < end:
        time.sleep(0.05)
    before = watcher.cpu_ns
    busy = time.perf_counter() + 1.5
    while time.perf_counter() < busy:
        pass
    looks = watcher.cpu_ns > before
    watcher.stop(20)  # the probes are for one thread at a time
    print(json.dumps({"coverage": probes.look(time.time_ns()).coverage, "looks": looks, **more}))
    sys.stdout.flush()
    os._exit(0)
"""


def run(program: str, **environment: str) -> dict[str, Any]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PEEPS_", "OTEL_"))}
    command = [sys.executable, "-W", "ignore", "-c", _REPORT + textwrap.dedent(program)]
    done = subprocess.run(
        command, env=kept | environment, capture_output=True, text=True, timeout=90, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return json.loads(done.stdout)


_PATCH = {
    "gevent": "from gevent import monkey; monkey.patch_all()",
    "eventlet": "import eventlet; eventlet.monkey_patch()",
}


@pytest.mark.parametrize("library", ["gevent", "eventlet"])
@pytest.mark.parametrize("first", ["patch", "watch"])
def test_greenlets_in_the_place_of_threads(library: str, first: str) -> None:
    """Our thread is the system's in either order: it looks while the program's only thread computes. Greenlets of
    gevent are read."""
    pytest.importorskip(library)
    steps = [_PATCH[library], 'import peeps_otel; peeps_otel.init("green")']
    if first == "watch":
        steps.reverse()
    told = run(
        "\n".join(steps)
        + """
import threading, time
one, other = threading.Lock(), threading.Lock()

def transfer(first, second):
    with first:
        time.sleep(0.1)
        with second:
            pass

for locks in ((one, other), (other, one)):
    threading.Thread(target=transfer, args=locks, daemon=True).start()
turns = 0
while turns < 10:
    time.sleep(0.05)
    turns += 1
report(turns=turns)
"""
    )
    note = f"{library} has replaced threads and locks by its own: who waits there is not seen"
    assert cannot_judge(told["coverage"]) == ([] if library == "gevent" else [note])
    assert (told["turns"], told["looks"]) == (10, True)


def test_a_gevent_that_is_not_known() -> None:
    """One in which something is missing that is relied on: nobody says that nothing is stuck."""
    pytest.importorskip("gevent")
    told = run(
        """
        from gevent import monkey
        monkey.patch_all()
        import gevent.hub
        import gevent.timeout
        del gevent.timeout.Timeout
        import peeps_otel
        peeps_otel.init("gevent")
        report()
        """
    )
    assert cannot_judge(told["coverage"]) == [
        "gevent is not as it is known: its greenlets are not seen",
        "gevent has replaced threads and locks by its own: who waits there is not seen",
    ]


def test_https_works_in_a_program_that_gevent_patches_after_our_start() -> None:
    """`urllib3` imported before the patches is a RecursionError in `ssl`: we do not import it by then."""
    pytest.importorskip("gevent")
    told = run(
        """
        import sys
        import peeps_otel
        peeps_otel.init("green")
        early = [name for name in ("requests", "urllib3") if name in sys.modules]
        from gevent import monkey
        monkey.patch_all()
        import requests
        try:
            requests.get("https://127.0.0.1:1/", timeout=2)
        except requests.ConnectionError as error:
            said = type(error).__name__
        report(early=early, said=said)
        """,
        PEEPS_COLLECTOR_ENDPOINT="http://127.0.0.1:1",
        PEEPS_WATCHDOG="false",
    )
    assert (told["early"], told["said"]) == ([], "ConnectionError")


def test_nothing_is_imported_where_we_are_switched_off() -> None:
    program = (
        "import sys, peeps_otel; peeps_otel.init('off')\n"
        "print([name for name in ('asyncio', 'ssl', 'requests', 'urllib3') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PEEPS_ENABLED": "false"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "[]\n"


def test_trio_is_read() -> None:
    pytest.importorskip("trio")
    told = run(
        """
        import trio
        import peeps_otel
        peeps_otel.init("trio")

        async def main():
            await trio.sleep(0.1)
            report()

        trio.run(main)
        """
    )
    assert cannot_judge(told["coverage"]) == []


def test_a_trio_that_is_not_known() -> None:
    """One in which something is missing that is relied on: as long as it runs, nobody says that nothing is stuck."""
    pytest.importorskip("trio")
    told = run(
        """
        import trio
        import peeps_otel
        peeps_otel.init("trio")
        del trio._sync._LockImpl

        async def main():
            await trio.sleep(0.1)
            report()

        trio.run(main)
        """
    )
    assert cannot_judge(told["coverage"]) == ["trio runs: the tasks of its own loop are not seen"]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="every interpreter shares the GIL")
def test_a_second_interpreter() -> None:
    told = run(
        """
        try:
            import _interpreters as interpreters
        except ImportError:
            import _xxsubinterpreters as interpreters
        import peeps_otel
        peeps_otel.init("two")
        second = interpreters.create()
        report()
        """
    )
    assert current_frames.OTHER_INTERPRETER in cannot_judge(told["coverage"])


@pytest.mark.skipif(sys.version_info < (3, 12), reason="every interpreter shares the GIL")
def test_frames_are_read_only_beside_no_other_interpreter() -> None:
    """Interpreters with a GIL of their own begin and end all the time; an unguarded reader ends this in seconds."""
    program = """
import sys, _thread, time
from peeps_otel.probes.internals.current_frames import current_frames
try:
    import _interpreters as interpreters
    run = interpreters.exec
except ImportError:
    import _xxsubinterpreters as interpreters
    run = interpreters.run_string
read = [0, 0]

def poll():
    while True:
        read[bool(current_frames())] += 1
        time.sleep(0.0005)

_thread.start_new_thread(poll, ())
end = time.monotonic() + 5
while time.monotonic() < end:
    second = interpreters.create()
    run(second, "for n in range(2000): [n] * 10")
    interpreters.destroy(second)
    time.sleep(0.01)
print(min(read) > 0)
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, timeout=90)
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr


def test_which_notes_forbid_a_judgement() -> None:
    assert cannot_judge(["steps are not timed", blind("trio runs"), "shed"]) == ["trio runs"]
