# SPDX-License-Identifier: Apache-2.0
"""A cut: every connected process is asked for a complete snapshot at once, and who does not answer is listed."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from peeps_otel import semconv
from tests.collector.collector_support import Program, Running, event
from tests.support.network import Answer, http
from tests.support.waiting import eventually

SECRET = 0x5EC2E7


class Process:
    """A process that sends snapshots, and waits to be asked."""

    def __init__(self, collector: Running, instance: str, pid: int) -> None:
        self.collector = collector
        self.program = Program(instance=instance, stream_id=pid, pid=pid, secret=SECRET + pid)
        self.send_snapshot(key_frame=True)

    def send_snapshot(self, key_frame: bool = False) -> Answer:
        return self._send(self.program.snapshot([], key_frame=key_frame))

    def answer_cut(self, request: str) -> None:
        """As ours does: the acknowledgement may come before the snapshot."""
        attributes: dict[str, Any] = {
            semconv.CUT_REQUEST: request,
            semconv.STREAM_ID: f"{self.program.stream_id:016x}",
            semconv.SEQUENCE: self.program.sequence + 1,
            semconv.CUT_TIME: 1_795_000_000_000_000_000,
        }
        assert self._send(self.program.request(event(semconv.EVENT_CUT, attributes))).status == 200

    def wait_to_be_asked(self, **other: str) -> Answer:
        stream, secret = f"{self.program.stream_id:016x}", f"{self.program.secret:016x}"
        body = json.dumps({"stream": stream, "secret": secret} | other).encode()
        headers = {"content-type": "application/json"}
        return http(f"http://{self.collector.otlp}/peeps/v1/requests", body, headers)

    def _send(self, request: Any) -> Answer:
        headers = {"content-type": "application/x-protobuf"}
        return http(f"http://{self.collector.otlp}/v1/logs", request.SerializeToString(), headers)


def begin(collector: Running, query: str = "") -> Any:
    answer = http(f"http://{collector.api}/api/cuts{query}", b"{}")
    assert answer.status == 202, answer.body
    return answer.json()


def test_who_waits_hears_at_once_and_a_cut_is_complete_when_all_snapshots_are_there(collector: Running) -> None:
    shop, stock = Process(collector, "shop", 11), Process(collector, "stock", 12)
    heard: list[Any] = []
    waiting = threading.Thread(target=lambda: heard.append(shop.wait_to_be_asked().json()))
    waiting.start()
    cut = begin(collector)
    assert (cut["over"], cut["complete"], cut["not_answered"]) == (False, False, [])
    waiting.join(10)
    ((asked,),) = [answer["requests"] for answer in heard]
    assert asked["kind"] == "cut"
    header = stock.send_snapshot().headers["peeps-request"]  # who does not wait hears it with its next snapshot
    assert header.startswith("cut;id=")

    shop.answer_cut(asked["id"])
    assert states(collector, cut) == {"shop": "told", "stock": "told"}  # its snapshot is not here yet
    shop.send_snapshot(key_frame=True)
    stock.answer_cut(header.removeprefix("cut;id="))
    stock.send_snapshot(key_frame=True)
    done = collector.get(f"/api/cuts?cut={cut['cut']}")
    assert (done["over"], done["complete"], done["not_answered"]) == (True, True, [])
    assert done["processes"] == [
        {
            "process": name,
            "name": f"shop (pid {pid})",
            "state": "answered",
            "stream": f"{pid:016x}",
            "sequence": sequence,
            "time_ns": 1_795_000_000_000_000_000,
        }
        for name, pid, sequence in (("shop", 11, 2), ("stock", 12, 3))
    ]


def states(collector: Running, cut: Any) -> dict[str, str]:
    return {one["process"]: one["state"] for one in collector.get(f"/api/cuts?cut={cut['cut']}")["processes"]}


def test_who_does_not_answer_is_listed_with_what_is_known(collector: Running) -> None:
    Process(collector, "shop", 11)
    told = Process(collector, "stock", 12)
    cut = begin(collector)
    told.send_snapshot()
    result = collector.peeps("snapshot", "--now")  # waits for as long as a cut lasts, so the first one is over then
    over = eventually(lambda: answer if (answer := collector.get(f"/api/cuts?cut={cut['cut']}"))["over"] else None)
    assert not over["complete"]
    assert [(one["process"], one["state"], one["heard"], one["sequence"]) for one in over["not_answered"]] == [
        ("shop", "live", False, 1),
        ("stock", "live", True, 2),
    ]
    assert over["not_answered"][0]["text"].startswith("shop (pid 11) has not heard that it was asked; it is live, last")
    assert over["not_answered"][1]["text"].startswith("shop (pid 12) was asked and has not answered; it is live, last")
    assert result.returncode == 2
    assert result.stdout.count("Not answered: shop (pid 1") == 2


def test_only_those_that_are_named_are_asked(collector: Running) -> None:
    Process(collector, "shop", 11)
    Process(collector, "stock", 12)
    assert [one["process"] for one in begin(collector, "?process=stock")["processes"]] == ["stock"]
    assert http(f"http://{collector.api}/api/cuts?process=nobody", b"{}").status == 404
    assert http(f"http://{collector.api}/api/cuts?cut=none").status == 404


def test_nothing_is_connected(collector: Running) -> None:
    cut = begin(collector)
    assert (cut["over"], cut["complete"], cut["processes"]) == (True, True, [])
    result = collector.peeps("snapshot", "--now")
    assert (result.returncode, result.stderr) == (2, "peeps: no program is connected that could take a snapshot\n")
    assert collector.peeps("snapshot").stdout == "No program is connected.\n"


@pytest.mark.parametrize(
    ("other", "status"),
    [
        ({"secret": "0" * 16}, 409),
        ({"stream": "f" * 16}, 409),
        ({"secret": "00"}, 400),
        ({"stream": "no hexadecimal!!"}, 400),
    ],
)
def test_only_who_sends_the_stream_hears_what_is_asked_of_it(
    shared: Running, other: dict[str, str], status: int
) -> None:
    assert Process(shared, "shop", 11).wait_to_be_asked(**other).status == status


def test_a_page_of_somebody_else_is_refused(shared: Running) -> None:
    headers = {"content-type": "text/plain", "origin": "http://evil.example"}
    answer = http(f"http://{shared.otlp}/peeps/v1/requests", b"{}", headers)
    assert answer.status == 403


def test_a_bad_answer_is_rejected_by_name(shared: Running) -> None:
    said = shared.send(Program().request(event(semconv.EVENT_CUT, {semconv.CUT_REQUEST: "1", semconv.SEQUENCE: 1})))
    assert "peeps.stream.id is missing; say which snapshot was taken" in said.partial_success.error_message
