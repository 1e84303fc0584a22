# SPDX-License-Identifier: Apache-2.0
"""A collector, an explorer and one example, started together and ended together. The standard library only.

Used by `run-example` and `demo`. Runs on any Python 3.9 or newer, because it may be started before there is a `.venv`.
"""

from __future__ import annotations

import ast
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import webbrowser
from collections.abc import Callable, Iterator
from pathlib import Path

from collector_process import CollectorProcess, Ended

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
_BIN = ROOT / ".venv" / ("Scripts" if os.name == "nt" else "bin")
_ADDRESSES = (
    ("PEEPS_LISTEN", "127.0.0.1:9119"),
    ("PEEPS_API", "127.0.0.1:9130"),
    ("PEEPS_HTTP", "127.0.0.1:9120"),
)
_START_SECONDS = 60.0
_GRACE_SECONDS = 15.0
_POLL_SECONDS = 0.1


class Failed(Exception):
    """Why it does not go on; for the user, in one line."""


class Interrupted(Exception):
    """Ctrl-C, SIGTERM, or the terminal was closed."""


def names() -> list[str]:
    return sorted(path.stem for path in EXAMPLES.glob("*.py") if not path.stem.startswith("_"))


def summary(name: str) -> str:
    """The first line of an example's docstring."""
    text = ast.get_docstring(ast.parse((EXAMPLES / f"{name}.py").read_text(encoding="utf-8"))) or ""
    return text.partition("\n")[0]


def choose(wanted: str) -> str:
    """The example of that name, or the only one whose name has `wanted` in it. Raises Failed."""
    known = names()
    if wanted in known:
        return wanted
    found = [name for name in known if wanted.lower() in name.lower()]
    if len(found) == 1:
        say(f"taking {found[0]} for {wanted!r}")
        return found[0]
    if not found:
        raise Failed(f"no example has {wanted!r} in its name; there are: {', '.join(known)}")
    raise Failed(f"{wanted!r} could be {', '.join(found)}; write more of the name")


def say(text: str) -> None:
    print(text, flush=True)


def run(work: Callable[[Stack], None]) -> int:
    """Does `work` with a stack and stays until a signal comes. The exit code; everything is ended before it returns."""
    stack = Stack()
    for number in (signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])):
        signal.signal(number, stack.interrupt)
    try:
        with contextlib.closing(stack):
            work(stack)
            stack.stay()
    except Interrupted:
        return 0
    except Failed as error:
        print(f"{Path(sys.argv[0]).name}: {error}", file=sys.stderr, flush=True)
        return 1
    return 0


class Stack:
    """Start with `collector`, then `example`; end with `close`.

    Every child is a session of its own: Ctrl-C reaches us alone, and we end each with all that it started. The signal
    handler only leaves a mark, so it cannot fall between starting a child and knowing of it.
    """

    api = ""
    listen = ""
    explorer = ""

    def __init__(self) -> None:
        self._children: list[subprocess.Popen[bytes]] = []
        self._collector: subprocess.Popen[bytes] | None = None
        self._example: subprocess.Popen[bytes] | None = None
        self._name = ""
        self._interrupted = False
        self._directory = tempfile.mkdtemp(prefix="peeps-")

    def interrupt(self, number: int, frame: object) -> None:
        self._interrupted = True

    def collector(self) -> None:
        """Starts collector and explorer and waits until both answer. Raises Failed, Interrupted."""
        peeps = _tool("peeps")
        addresses = {name: os.environ.get(name) or default for name, default in _ADDRESSES}
        for name, address in addresses.items():
            if _answers(address):
                raise Failed(
                    f"something already answers at {address} ({name}); stop it, or set {name} to another address"
                )
        ready = Path(self._directory, "ready.json")
        variables = dict(os.environ, **addresses)
        if not variables.get("PEEPS_DB"):
            variables["PEEPS_DB"] = str(Path(self._directory, "peeps.duckdb"))
        started = CollectorProcess([peeps], ready, variables, "up", apart=True)
        self._collector = started.process
        self._children.append(started.process)
        try:
            self._until(lambda: started.addresses() is not None, "the collector did not get ready")
            said = started.wait()
        except Ended as ended:
            raise Failed(str(ended)) from None
        self.listen, self.api = said["grpc"][0], said["api"]
        self._until(lambda: _ok(f"http://{self.api}/health"), f"the collector does not answer at {self.api}")
        say(f"collector  OTLP {self.listen}, query API http://{self.api}, database {variables['PEEPS_DB']}")
        if not _installed("peeps-dashboard"):
            say("explorer   not installed (pip install peeps-dashboard)")
            return
        self.explorer = f"http://{addresses['PEEPS_HTTP']}"
        self._until(lambda: _ok(f"{self.explorer}/_stcore/health"), f"the explorer does not answer at {self.explorer}")
        say(f"explorer   {self.explorer}")

    def example(self, name: str, *arguments: str) -> None:
        """Starts an example as a user would start a service. Raises Failed."""
        instrument = _tool("opentelemetry-instrument")
        python = Path(instrument).with_name("python")
        variables = dict(os.environ, PEEPS_COLLECTOR_ENDPOINT=self.listen, PYTHONUNBUFFERED="1")
        for signals in ("TRACES", "METRICS", "LOGS"):
            variables.setdefault(f"OTEL_{signals}_EXPORTER", "none")
        path = EXAMPLES / f"{name}.py"
        command = [instrument, "--service_name", name, str(python if python.exists() else sys.executable), str(path)]
        say(f"example    {path.relative_to(ROOT)}: {summary(name)}")
        self._name = name
        self._example = self._start([*command, *arguments], variables)

    def why(self, seconds: int) -> int:
        """`peeps why`, printed; its exit code. Raises Failed, Interrupted."""
        variables = dict(os.environ, PEEPS_API=self.api)
        asking = self._start([_tool("peeps"), "why", "--wait", str(seconds)], variables)
        self._until(lambda: asking.poll() is not None, "`peeps why` did not end", seconds + 30)
        return asking.returncode

    def browse(self) -> None:
        # Without a display Python would open a text browser in this terminal.
        display = os.name == "nt" or sys.platform == "darwin" or {"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys()
        if self.explorer and display and os.environ.get("PEEPS_NO_OPEN") != "1":
            with contextlib.suppress(webbrowser.Error):
                webbrowser.open(self.explorer)

    def stay(self) -> None:
        """Until Interrupted. Raises Failed where the collector, or the example with an error, ended before."""
        say("Ctrl-C ends everything.")
        told = False
        while True:
            self._watch()
            if self._example is not None and self._example.poll() == 0 and not told:
                told = True
                say(f"{self._name} has ended; the collector stays until Ctrl-C.")
            time.sleep(_POLL_SECONDS)

    def close(self) -> None:
        """Ends what was started, the newest first, so that a program can still say goodbye to the collector."""
        for child in reversed(self._children):
            _end(child)
        shutil.rmtree(self._directory, ignore_errors=True)

    def _start(self, command: list[str], variables: dict[str, str]) -> subprocess.Popen[bytes]:
        child = subprocess.Popen(command, env=variables, stdin=subprocess.DEVNULL, start_new_session=True)
        self._children.append(child)
        return child

    def _until(self, check: Callable[[], bool], otherwise: str, seconds: float = _START_SECONDS) -> None:
        for _ in _ticks(seconds):
            self._watch()
            if check():
                return
        raise Failed(f"{otherwise} within {seconds:.0f} s")

    def _watch(self) -> None:
        if self._interrupted:
            raise Interrupted
        if self._collector is not None and self._collector.poll() is not None:
            raise Failed(f"the collector ended with exit code {self._collector.returncode}")
        if self._example is not None and self._example.poll():
            raise Failed(f"{self._name} ended with exit code {self._example.returncode}")


def _ticks(seconds: float) -> Iterator[None]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield
        time.sleep(_POLL_SECONDS)


def _installed(name: str) -> str | None:
    own = _BIN / name
    return str(own) if own.exists() else shutil.which(name)


def _tool(name: str) -> str:
    found = _installed(name)
    if found is None:
        raise Failed(f"`{name}` is not installed; run `make venv` first")
    return found


def _answers(address: str) -> bool:
    """Whether somebody listens there. An address that makes no sense is the collector's to complain about."""
    host, _, port = address.rpartition(":")
    if not port.isdigit() or port == "0":
        return False
    try:
        with socket.create_connection((host.strip("[]") or "127.0.0.1", int(port)), timeout=1):
            return True
    except OSError:
        return False


def _ok(url: str) -> bool:
    # No proxy: it is on this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        child.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(_GRACE_SECONDS)
    if hasattr(os, "killpg"):
        # Its group outlives it where it left children behind.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
    else:
        child.kill()
    child.wait()
