# SPDX-License-Identifier: Apache-2.0
"""Requests to processes: in the answer to a snapshot, and back as an event."""

from __future__ import annotations

import json
from typing import Any

import pytest

from peeps_collector.requests_out import ProcessRequests
from peeps_otel import semconv
from tests.collector.blame_story import tell
from tests.collector.collector_support import Program, Running, event
from tests.support.network import Answer, http


def send(collector: Running, request: Any) -> Answer:
    headers = {"content-type": "application/x-protobuf"}
    return http(f"http://{collector.otlp}/v1/logs", request.SerializeToString(), headers)


def ask(collector: Running, query: str = "") -> Any:
    answer = http(f"http://{collector.api}/api/leaks{query}", b"{}")
    assert answer.status == 202, answer.body
    return answer.json()["requests"]


def answered(request: str, **more: Any) -> Any:
    attributes: dict[str, Any] = {
        semconv.LEAKS_REQUEST: request,
        semconv.LEAKS_TASKS: 3,
        semconv.LEAKS_BLOCKED: 20,
        semconv.LEAKS_OBJECTS: 70_000,
        semconv.LEAKS_DURATION: 2_000_000_000,
        semconv.LEAKS_FINDINGS: [],
        semconv.LEAKS_PAUSE: 4_000_000,
    }
    return event(semconv.EVENT_LEAKS, attributes | more)


def test_there_and_back(collector: Running) -> None:
    program = Program()
    assert "peeps-request" not in send(collector, program.snapshot([], key_frame=True)).headers
    (request,) = ask(collector)
    assert (request["process"], request["state"], request["answer"]) == ("app-1", "waiting", None)
    assert ask(collector)[0]["request"] == request["request"]  # asked already
    other = Program(instance="app-2", stream_id=7)
    assert "peeps-request" not in send(collector, other.snapshot([], key_frame=True)).headers
    assert "peeps-request" not in send(collector, program.request(event("anything"))).headers  # by snapshots only

    header = send(collector, program.snapshot([])).headers["peeps-request"]
    assert header == f"leaks;id={request['request']}"
    assert "peeps-request" not in send(collector, program.snapshot([])).headers  # said once
    assert collector.get(f"/api/leaks?request={request['request']}")["requests"][0]["state"] == "told"

    assert send(collector, other.request(answered(request["request"]))).status == 200  # not the one who was asked
    assert collector.get(f"/api/leaks?request={request['request']}")["requests"][0]["state"] == "told"
    assert send(collector, program.request(answered(request["request"]))).status == 200
    (done,) = collector.get(f"/api/leaks?request={request['request']}")["requests"]
    assert done["state"] == "answered"
    assert done["answer"] == {
        "tasks": 3,
        "blocked": 20,
        "objects": 70_000,
        "duration_ns": 2_000_000_000,
        "findings": [],
        "pause_ns": 4_000_000,
        "in_process": "",
        "not_run": "",
    }


@pytest.mark.parametrize("missing", [semconv.LEAKS_REQUEST, semconv.LEAKS_TASKS, semconv.LEAKS_OBJECTS])
def test_a_bad_answer_is_rejected_by_name(shared: Running, missing: str) -> None:
    record = answered("0" * 16)
    kept = [attribute for attribute in record.attributes if attribute.key != missing]
    del record.attributes[:]
    record.attributes.extend(kept)
    said = shared.send(Program().request(record))
    assert said.partial_success.rejected_log_records == 1
    assert missing in said.partial_success.error_message


def test_bad_questions(shared: Running) -> None:
    assert http(f"http://{shared.api}/api/leaks?process=nobody", b"{}").status == 404
    assert http(f"http://{shared.api}/api/leaks").status == 400
    elsewhere = {"origin": "http://evil.example"}
    assert http(f"http://{shared.api}/api/leaks", b"{}", elsewhere).status == 403


def test_requests_are_forgotten() -> None:
    requests = ProcessRequests()
    first = requests.ask("leaks", "p")
    for number in range(1_500):
        requests.ask("leaks", f"q{number}")
    assert requests.find([first.id]) == []
    assert requests.header_for(["p"]) == ""
    assert requests.header_for(["q1499"]).startswith("leaks;id=")


def test_blame_from_the_stored_history(collector: Running) -> None:
    tell(collector)
    answer = collector.get("/api/blame?since_s=600")
    first = answer["rows"][0]
    assert first["holder_site"] == "app.py:40"  # where the holder slept with the lock in hand
    assert first["resources"] == ["lock db"]
    assert first["waiters"][0]["site"] == "app.py:31"
    assert 8_500_000_000 < first["ns"] < 9_500_000_000

    text = collector.peeps("blame", "--since", "10m")
    assert text.returncode == 0
    assert "app.py:40" in text.stdout.splitlines()[1]
    assert "app.py:40" in collector.peeps("blame", "--paths").stdout.splitlines()[1]
    folded = collector.peeps("blame", "--format", "folded").stdout
    assert folded.startswith("move (app.py:31);[lock db];nap (app.py:40);audit (app.py:45) ")
    profile = json.loads(collector.peeps("blame", "--format", "speedscope").stdout)
    assert sum(profile["profiles"][0]["weights"]) == profile["profiles"][0]["endValue"]
    assert http(f"http://{collector.api}/api/blame?format=pprof").body[:2] == b"\x1f\x8b"
    assert http(f"http://{collector.api}/api/blame?format=pdf").status == 400
    assert http(f"http://{collector.api}/api/blame?since_s=0").status == 400
    assert collector.peeps("blame", "--since", "soon").returncode == 2
