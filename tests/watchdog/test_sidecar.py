# SPDX-License-Identifier: Apache-2.0
"""What the sidecar says of a program that is stuck, stopped, killed, replaced or forked; and that it is no burden."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.waiting import eventually
from tests.watchdog.watchdog_support import Program, Receiver, sidecars

pytestmark = pytest.mark.slow

Run = Callable[..., Program]
IN_TIME_S = 40.0 if os.getloadavg()[0] > 2 * (os.cpu_count() or 1) else 10.0


def test_a_regular_expression_that_never_ends(run: Run, receiver: Receiver) -> None:
    program = run("""
        import re
        def parse(text):
            return re.match(r"(a+)+$", text)
        threading.Thread(target=time.sleep, args=(1000,), name="idle", daemon=True).start()
        watched()
        say("stuck")
        parse("a" * 60 + "b")
    """)
    assert program.line() == "stuck"
    began, began_ns = time.monotonic(), time.time_ns()
    said = receiver.wait_for("running")
    assert said.at - began < IN_TIME_S
    assert (said.event, said.severity) == ("peeps.stacks", "ERROR")
    place = program.source("re.match(")
    assert said.title == (
        f"orders (pid {program.pid}) is silent: it runs, but no Python thread gets the interpreter: "
        f"MainThread is in match, called at {place} in parse"
    )
    assert f"{said.attributes['code.file.path']}:{said.attributes['code.line.number']}" == place
    assert (said.attributes["code.function.name"], said.attributes["thread.name"]) == ("parse", "MainThread")
    *_, outer, inner, match = said.attributes["code.stacktrace"].splitlines()
    assert outer.endswith("in <module>")
    assert inner.endswith("in parse")
    assert match.endswith("in match")
    assert abs(said.attributes["peeps.silent.since"] - began_ns) < 2e9
    assert "\nidle (0x" in said.body
    assert "peeps-watchdog" not in said.body
    assert said.resource == {"service.name": "orders", "process.pid": program.pid}
    again = receiver.wait_for("running", 2)  # for a collector that was not there before
    assert again.attributes == said.attributes
    assert 5 < again.at - said.at < 20


def test_a_call_into_c_that_sleeps_with_the_interpreter(run: Run, receiver: Receiver) -> None:
    """And which is not interrupted by our asking: it sleeps its time."""
    program = run("""
        import ctypes
        watched()
        libc = ctypes.PyDLL(None)
        began = time.monotonic()
        left = libc.sleep(15)
        say(left, time.monotonic() - began > 14.9)
        time.sleep(3)
    """)
    said = receiver.wait_for("sleeping")
    assert "it sleeps in a system call" in said.title
    assert f"MainThread is at {program.source('libc.sleep')} in <module>" in said.title
    assert program.line() == "0 True"
    resumed = receiver.wait_for("running")
    assert (resumed.severity, resumed.attributes["peeps.silent.since"]) == (
        "INFO",
        said.attributes["peeps.silent.since"],
    )
    silent_ns = resumed.attributes["peeps.silent.until"] - resumed.attributes["peeps.silent.since"]
    assert 14e9 < silent_ns < 25e9
    assert resumed.title.startswith(f"orders (pid {program.pid}) speaks again after ")


def test_another_thread_than_the_main_one(run: Run, receiver: Receiver) -> None:
    program = run("""
        import re
        def work():
            time.sleep(1.5)  # a thread is known by name a second after its start
            re.match(r"(a+)+$", "a" * 60 + "b")
        watched()
        threading.Thread(target=work, name="worker  7", daemon=True).start()
        threading.Event().wait()
    """)
    said = receiver.wait_for("running")
    assert said.attributes["thread.name"] == "worker 7"
    assert f"worker 7 is in match, called at {program.source('re.match(')} in work" in said.title


def test_stopped_and_continued(run: Run, receiver: Receiver) -> None:
    program = run("""
        watched()
        say("ready")
        time.sleep(1000)
    """)
    assert program.line() == "ready"
    program.signal(signal.SIGSTOP)
    said = receiver.wait_for("stopped")
    assert said.title == (
        f"orders (pid {program.pid}) is silent: it is stopped (SIGSTOP or Ctrl-Z); SIGCONT lets it go on"
    )
    assert "code.stacktrace" not in said.attributes
    program.signal(signal.SIGCONT)
    assert receiver.wait_for("running").severity == "INFO"
    assert program.process.poll() is None


def test_killed_is_gone_not_silent(run: Run, receiver: Receiver) -> None:
    program = run("""
        watched()
        say("ready")
        time.sleep(1000)
    """)
    assert program.line() == "ready"
    sidecar = program.sidecar()
    began = time.monotonic()
    program.signal(signal.SIGKILL)
    said = receiver.wait_for("defunct")
    assert (said.title, said.severity) == (f"orders (pid {program.pid}) ended without a goodbye", "INFO")
    assert said.at - began < 5
    eventually(lambda: not os.path.exists(f"/proc/{sidecar}"), "the sidecar ends")
    assert [one.state for one in receiver.records] == ["defunct"]


def test_a_program_that_ends_is_not_news_and_prints_what_it_prints(run: Run, receiver: Receiver) -> None:
    program = run("""
        import atexit
        watched()
        atexit.register(watchdog.uninstall)
        say("done")
    """)
    assert program.rest() == "done\n"
    assert program.process.returncode == 0
    eventually(lambda: not sidecars(program.pid), "the sidecar ends")
    assert receiver.records == []


def test_the_end_is_told_when_the_endpoint_comes_back(run: Run, receiver: Receiver) -> None:
    receiver.status = 503
    program = run("""
        watched()
        say("ready")
        time.sleep(1000)
    """)
    assert program.line() == "ready"
    program.signal(signal.SIGKILL)
    eventually(lambda: receiver.refused, "the first attempt")
    receiver.status = 200
    receiver.wait_for("defunct")


def test_another_program_in_the_same_process(run: Run, receiver: Receiver) -> None:
    """`exec`: what we watched is gone, and the pid goes on without us."""
    program = run("""
        watched()
        say("ready")
        time.sleep(0.5)
        os.execv(sys.executable, [sys.executable, "-c", "import time; print('new', flush=True); time.sleep(12)"])
    """)
    assert program.line() == "ready"
    sidecar = program.sidecar()
    assert program.line() == "new"
    eventually(lambda: not os.path.exists(f"/proc/{sidecar}"), "the sidecar ends")
    said = receiver.wait_for("defunct")
    assert (said.severity, said.title) == ("INFO", f"orders (pid {program.pid}) became another program (exec)")
    assert program.process.wait(30) == 0
    assert receiver.records == [said]


def test_a_forked_child_has_a_sidecar_of_its_own(run: Run, receiver: Receiver) -> None:
    program = run("""
        import re
        watched()
        os.register_at_fork(after_in_child=lambda: watchdog.abandon() and watchdog.install_in_child())
        say("ready")
        child = os.fork()
        if not child:
            say(os.getpid())
            watched()
            re.match(r"(a+)+$", "a" * 60 + "b")
        time.sleep(1000)
    """)
    assert program.line() == "ready"
    child = int(program.line())
    try:
        said = receiver.wait_for("running")
        assert said.title.startswith(f"orders (pid {child}) is silent")
        assert said.resource["process.pid"] == child
        assert program.sidecar() not in sidecars(child)
    finally:
        os.kill(child, signal.SIGKILL)


def test_it_is_not_the_program_s_child_and_not_in_its_session(run: Run) -> None:
    program = run("""
        watched()
        try:
            os.wait()
        except ChildProcessError:
            say("no child")
        say(os.getpid(), os.getsid(0))
        time.sleep(1000)
    """)
    assert program.line() == "no child"
    sidecar = program.sidecar()
    assert os.getsid(sidecar) != os.getsid(program.pid)
    os.killpg(program.pid, signal.SIGINT)  # Ctrl-C
    program.process.wait(20)
    eventually(lambda: not os.path.exists(f"/proc/{sidecar}"), "the sidecar ends")


def test_a_program_that_closes_all_files_and_opens_others(run: Run, receiver: Receiver, tmp_path: Path) -> None:
    """Nothing of ours gets into its files, and it is watched again."""
    program = run(f"""
        import re
        watched()
        first = watchdog._post._page_fd.number
        os.closerange(3, 4096)
        files = [open({str(tmp_path)!r} + f"/file{{n}}", "wb") for n in range(8)]
        os.dup2(files[0].fileno(), first)
        watchdog._post._launched = False
        watched()
        say("again")
        re.match(r"(a+)+$", "a" * 60 + "b")
    """)
    assert program.line() == "again"
    assert "MainThread is in match" in receiver.wait_for("running").title
    assert [path.stat().st_size for path in tmp_path.glob("file*")] == [0] * 8


def test_it_is_small_and_idle(run: Run) -> None:
    program = run("""
        watched()
        say("ready")
        time.sleep(1000)
    """)
    assert program.line() == "ready"
    sidecar = program.sidecar()
    time.sleep(3)
    status = Path(f"/proc/{sidecar}/status").read_text()
    (resident_kb,) = (int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))
    assert resident_kb < 12_000
    fields = Path(f"/proc/{sidecar}/stat").read_text().rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    assert ticks <= 10 * os.sysconf("SC_CLK_TCK") // 100  # a tenth of a second, nearly all of it its start
    assert os.readlink(f"/proc/{sidecar}/cwd") == "/"
    links = {os.readlink(f"/proc/{sidecar}/fd/{fd}") for fd in os.listdir(f"/proc/{sidecar}/fd")}
    assert {
        link for link in links if not link.startswith(("/dev/null", "anon_inode:", "pipe:", "/memfd:peeps"))
    } == set()


def test_goodbye_leaves_signals_and_files_as_they_were(run: Run) -> None:
    program = run("""
        import signal
        from peeps_otel.watchdog import proc
        watched()
        during = proc.used_signals()
        watchdog.uninstall()
        while threading.active_count() > 1:
            time.sleep(0.05)
        changed = during & ~proc.used_signals()
        say(bin(changed).count("1"), [fd for fd in os.listdir("/proc/self/fd") if int(fd) > 40])
    """)
    assert program.line() == "1 []"


def test_a_program_that_wants_the_signal_gets_it(run: Run, receiver: Receiver) -> None:
    program = run("""
        import ctypes, signal
        watched()
        signal.signal(watchdog._post._signum, lambda *_: say("not for you"))
        time.sleep(2.5)
        ctypes.PyDLL(None).sleep(20)
        say("end")
    """)
    said = receiver.wait_for("sleeping")
    assert "code.stacktrace" not in said.attributes
    assert program.line() == "end"
