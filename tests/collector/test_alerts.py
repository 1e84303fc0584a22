# SPDX-License-Identifier: Apache-2.0
"""Alerts: when something is said, how seldom, and that it comes to a webhook and to a command."""

from __future__ import annotations

import http.server
import json
import re
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from peeps_collector.alerts.judge import Event, Judge, Seen
from peeps_collector.alerts.sinks import Outbox
from peeps_otel.model import Level
from tests.collector.collector_support import Deadlock, Program, Running
from tests.support.waiting import eventually

S = 1_000_000_000
QUIET_S = 300


def seen(level: Level = Level.PROVEN, *, number: int = 1, behind: int = 0, line: str = "/srv/app.py:7") -> Seen:
    return Seen(f"deadlock:{number:016x}", "deadlock", level, line, ("shop",), behind)


class Told:
    """A judge, and what it says at each second."""

    def __init__(self) -> None:
        self._judge = Judge(Level.LIKELY, QUIET_S * S)

    def at(self, second: float, *found: Seen) -> list[tuple[str, int, int]]:
        alerts = self._judge.look(found, int(second * S))
        return [(alert.event.value, alert.alike, alert.unsaid) for alert in alerts]


def test_it_is_told_once_when_it_has_settled_and_when_it_is_over() -> None:
    told = Told()
    assert told.at(0, seen()) == []
    assert told.at(2, seen()) == [(Event.OPENED, 0, 0)]
    assert [told.at(second, seen()) for second in range(3, 60)] == [[]] * 57
    assert told.at(60) == []
    assert told.at(61, seen()) == [], "gone for a second only"
    assert told.at(62) == []
    assert told.at(64) == [(Event.RESOLVED, 0, 0)]
    assert told.at(65) == []


def test_what_passes_at_once_or_is_not_sure_enough_is_not_told() -> None:
    told = Told()
    assert told.at(0, seen()) == []
    assert told.at(1) == []
    assert told.at(3) == []
    assert [told.at(second, seen(Level.SUSPECT)) for second in range(4, 30)] == [[]] * 26


def test_the_same_at_the_same_line_is_one() -> None:
    told = Told()
    many = [seen(number=number) for number in range(20)]
    told.at(0, *many)
    assert told.at(2, *many, seen(line="/srv/app.py:9")) == [(Event.OPENED, 19, 0)]


def test_it_is_worse_when_it_is_surer_or_far_more_wait_behind_it() -> None:
    told = Told()
    told.at(0, seen(Level.LIKELY, behind=1))
    told.at(2, seen(Level.LIKELY, behind=1))
    assert told.at(3, seen(Level.LIKELY, behind=10)) == []
    assert told.at(4, seen(Level.LIKELY, behind=11)) == [(Event.WORSE, 0, 0)]
    assert told.at(5, seen(Level.PROVEN, behind=11)) == [(Event.WORSE, 0, 0)]
    assert told.at(6, seen(Level.PROVEN, behind=11)) == []


def test_what_comes_and_goes_is_quiet_for_a_while_and_counted() -> None:
    told = Told()
    told.at(0, seen())
    told.at(2, seen())
    assert told.at(4) == [(Event.RESOLVED, 0, 0)]
    for second in range(10, 100, 10):
        assert told.at(second, seen()) == []
        assert told.at(second + 3, seen()) == []
        assert told.at(second + 6) == []
    assert told.at(400, seen()) == []
    assert told.at(403, seen()) == [(Event.OPENED, 0, 9)]


class Receiver:
    """A web server that keeps what is posted to it; the first answers are errors."""

    def __init__(self, errors: int = 0) -> None:
        self.bodies: list[Any] = []
        left = [errors]
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                fails = left[0] > 0
                left[0] -= 1
                if not fails:
                    receiver.bodies.append(body)
                self.send_response(503 if fails else 200)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook/secret"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def receiving() -> Iterator[Callable[[int], Receiver]]:
    started: list[Receiver] = []

    def begin(errors: int = 0) -> Receiver:
        started.append(Receiver(errors))
        return started[-1]

    yield begin
    for one in started:
        one.server.shutdown()
        one.server.server_close()


class _Sink:
    name = "a sink"

    def __init__(self, failures: int) -> None:
        self.left = failures
        self.got: list[Any] = []

    def send(self, told: dict[str, Any]) -> None:
        self.left -= 1
        if self.left >= 0:
            raise OSError("down")
        self.got.append(told)


@pytest.mark.parametrize(("failures", "sent", "lost"), [(2, 1, 0), (3, 0, 1)])
def test_an_alert_is_tried_three_times(failures: int, sent: int, lost: int) -> None:
    sink = _Sink(failures)
    outbox = Outbox(sink, pause=lambda _: None)
    outbox.start()
    outbox.put({"number": 1})
    eventually(lambda: outbox.sent + outbox.lost)
    assert (outbox.sent, outbox.lost, sink.got) == (sent, lost, [{"number": 1}] * sent)
    assert outbox.status()["failure"] == ("" if sent else "OSError: down")
    outbox.stop()


def test_a_deadlock_comes_to_the_webhook_and_to_the_command(
    start: Callable[..., Running], receiving: Callable[[int], Receiver], tmp_path: Path
) -> None:
    receiver, file = receiving(0), tmp_path / "told"
    script = tmp_path / "tell.py"
    script.write_text(
        "import os, pathlib, sys\n"
        f"pathlib.Path({str(file)!r}).write_text(os.environ['PEEPS_ALERT_EVENT'] + ' ' + sys.stdin.read())\n"
    )
    settings = {"PEEPS_ALERT_WEBHOOK": receiver.url, "PEEPS_ALERT_EXEC": f"{sys.executable} '{script}'"}
    collector: Running = start(**settings)
    program, deadlock = Program(), Deadlock()
    collector.send(program.snapshot(*deadlock.graph(), key_frame=True))

    def told() -> list[Any]:
        collector.send(program.snapshot([]))
        return receiver.bodies

    (body,) = eventually(told)
    assert (body["event"], body["finding"]["level"], body["finding"]["kind"]) == ("opened", "PROVEN", "deadlock")
    assert re.match(r"DEADLOCK, PROVEN, \d+ s: worker-", body["text"])
    assert "in shop (pid 4711)" in body["text"].splitlines()
    assert f"Open: {body['finding']['look_at']}" in body["text"].splitlines()
    event, _, by_command = eventually(lambda: file.read_text() if file.exists() else "").partition(" ")
    assert (event, json.loads(by_command)) == ("opened", body)

    def both_sent() -> list[Any]:
        alerts: list[Any] = collector.get("/health")["alerts"]
        return alerts if all(one["sent"] for one in alerts) else []

    (hook, command) = eventually(both_sent)
    assert hook == {"to": "webhook http://127.0.0.1", "sent": 1, "lost": 0, "failure": ""}
    assert command["to"].startswith("command ")
