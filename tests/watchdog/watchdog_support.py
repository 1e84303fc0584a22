# SPDX-License-Identifier: Apache-2.0
"""A watched program in a process of its own, and an OTLP/HTTP endpoint that keeps what it is sent."""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.waiting import PATIENCE_S, eventually

_PROLOGUE = """\
import os, sys, threading, time
from peeps_otel.probes.source.ownership import Ownership
from peeps_otel.watchdog.announcement import announcement
from peeps_otel.watchdog.guard import Watchdog

def announce():
    return announcement({endpoint!r}, {{"service.name": "orders", "process.pid": os.getpid()}}, Ownership(), {{}})

watchdog = Watchdog(announce)
watchdog.install()

def say(*words):
    print(*words, flush=True)

def watched():
    while not (watchdog._post and watchdog._post._launched):
        assert not watchdog.coverage, watchdog.coverage
        time.sleep(0.02)

"""


@dataclass
class Said:
    """A log record, and when it arrived (monotonic)."""

    severity: str
    event: str
    body: str
    attributes: dict[str, Any]
    resource: dict[str, Any]
    at: float

    @property
    def title(self) -> str:
        return self.body.partition("\n")[0]

    @property
    def state(self) -> str:
        return self.attributes["process.state"]


class Receiver:
    """Listens on loopback; `status`: what it answers."""

    def __init__(self) -> None:
        self.records: list[Said] = []
        self.status = 200
        self.refused = 0
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                assert self.path == "/v1/logs"
                if receiver.status == 200:
                    receiver.records += _records(content)
                else:
                    receiver.refused += 1
                self.send_response(receiver.status)
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def wait_for(self, state: str, number: int = 1) -> Said:
        """The `number`th record of this state."""

        def found() -> Said | None:
            matching = [said for said in self.records if said.state == state]
            return matching[number - 1] if len(matching) >= number else None

        return eventually(found, f"a record of state {state}; there are {[said.title for said in self.records]}")


class Program:
    """A program with the watchdog in it."""

    def __init__(self, text: str, folder: Path, endpoint: str) -> None:
        self.path = folder / "app.py"
        self.path.write_text(_PROLOGUE.format(endpoint=endpoint) + textwrap.dedent(text))
        self.process = subprocess.Popen(
            [sys.executable, str(self.path)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.pid = self.process.pid

    def line(self) -> str:
        """The next line that it prints."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def rest(self) -> str:
        """What it prints until it ends."""
        return self.process.communicate(timeout=PATIENCE_S)[0]

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def source(self, text: str) -> str:
        """`path:line` of the one line with `text`."""
        (number,) = (n for n, line in enumerate(self.path.read_text().splitlines(), 1) if text in line)
        return f"{self.path}:{number}"

    def sidecar(self) -> int:
        """The pid of its sidecar."""
        return eventually(lambda: next(iter(sidecars(self.pid)), 0), "a sidecar")


def sidecars(pid: int) -> list[int]:
    """The sidecars of a process that are alive."""
    found: list[int] = []
    for name in os.listdir("/proc"):
        if name.isdecimal():
            try:
                words = Path(f"/proc/{name}/cmdline").read_bytes().split(b"\0")
                comm = Path(f"/proc/{name}/comm").read_text().strip()
            except OSError:
                continue
            if comm == "peeps-sidecar" and str(pid).encode() in words:
                found.append(int(name))
    return found


def _records(content: dict[str, Any]) -> list[Said]:
    return [
        Said(
            record["severityText"],
            record["eventName"],
            record["body"]["stringValue"],
            _attributes(record["attributes"]),
            _attributes(block["resource"]["attributes"]),
            time.monotonic(),
        )
        for block in content["resourceLogs"]
        for scope in block["scopeLogs"]
        for record in scope["logRecords"]
    ]


def _attributes(pairs: list[dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for pair in pairs:
        ((kind, value),) = pair["value"].items()
        found[pair["key"]] = int(value) if kind == "intValue" else value
    return found
