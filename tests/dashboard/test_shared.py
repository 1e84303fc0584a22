# SPDX-License-Identifier: Apache-2.0
"""Many viewers cost the collector what one does."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from peeps_dashboard.client import Collector
from peeps_dashboard.shared import SharedAnswers
from tests.dashboard.fake_api import FakeApi


def test_an_answer_is_kept_for_a_moment() -> None:
    now_s = [100.0]
    shared, asked = SharedAnswers(0.5, lambda: now_s[0]), iter(range(10))
    answers = [shared.get("a", lambda _: {"n": next(asked)}) for _ in range(3)]
    assert answers == [{"n": 0}] * 3
    now_s[0] += 0.5
    assert shared.get("a", lambda _: {"n": next(asked)}) == {"n": 1}
    assert shared.get("b", lambda _: {"n": next(asked)}) == {"n": 2}


def test_what_pages_ask_every_other_second_is_kept_twice_as_long(api: FakeApi) -> None:
    now_s = [100.0]
    viewer = Collector(api.address, shared=SharedAnswers(0.9, lambda: now_s[0]))
    for _ in range(20):  # each second, as five viewers do
        for _ in range(5):
            viewer.findings()
            viewer.rows("tasks")
            viewer.snapshot(limit=10)
            now_s[0] += 0.2
    asked = {path: api.requests[path] for path in ("/api/findings", "/api/rows", "/api/snapshot")}
    assert asked == {"/api/findings": 20, "/api/rows": 12, "/api/snapshot": 12}


def test_who_comes_while_it_is_asked_waits_for_that_one() -> None:
    shared, begun, go, count = SharedAnswers(60.0), threading.Event(), threading.Event(), [0]

    def ask(_: object) -> dict[str, int]:
        count[0] += 1
        begun.set()
        assert go.wait(30)
        return {"n": count[0]}

    with ThreadPoolExecutor(8) as pool:
        viewers = [pool.submit(shared.get, "a", ask) for _ in range(8)]
        assert begun.wait(30)
        go.set()
        assert [viewer.result(30) for viewer in viewers] == [{"n": 1}] * 8


def test_an_error_is_everybodys_own() -> None:
    shared = SharedAnswers(60.0)

    def fails(_: object) -> dict[str, int]:
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        shared.get("a", fails)
    assert shared.get("a", lambda _: {"n": 1}) == {"n": 1}


def test_viewers_share_what_the_collector_says(api: FakeApi) -> None:
    shared = SharedAnswers(60.0)
    for _ in range(5):
        viewer = Collector(api.address, shared=shared)
        viewer.findings()
        viewer.processes()
        viewer.snapshot(limit=5000)
        viewer.snapshot(limit=10)
    assert api.requests == {"/api/findings": 1, "/api/processes": 1, "/api/snapshot": 2}


def test_rows_that_have_not_changed_are_not_sent_again(api: FakeApi) -> None:
    viewer = Collector(api.address, shared=SharedAnswers(0.0))
    first = viewer.rows("tasks", query="state:waiting")
    assert viewer.rows("tasks", query="state:waiting") is first
    assert api.not_modified == 1
    api.show("mixed")
    api.world.version += 1
    assert viewer.rows("tasks", query="state:waiting") is not first
