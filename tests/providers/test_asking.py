# SPDX-License-Identifier: Apache-2.0
"""A provider that fails, hangs or is slow costs its own part of the picture, never a look."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from peeps_otel.model import NodeKind
from peeps_otel.model.coverage import cannot_judge
from peeps_otel.providers import Connection, RpcReport
from peeps_otel.providers.asking import THREAD_NAME
from tests.providers.provider_world import a_world, provided, rested
from tests.support.waiting import eventually


def good() -> RpcReport:
    return RpcReport(connections=[Connection(id="c")])


def raises() -> RpcReport:
    raise ValueError("a secret")


def ends() -> RpcReport:
    raise SystemExit


def wrong() -> Any:
    return "everything is fine"


@pytest.mark.parametrize(
    ("bad", "says"),
    [(raises, "raised ValueError"), (ends, "raised SystemExit"), (wrong, "returned str, RpcReport is expected")],
)
def test_a_fault_is_said_and_the_others_are_seen(bad: Callable[[], RpcReport], says: str) -> None:
    with a_world() as world, provided(bad, name="bad"), provided(good, name="good"):
        for _ in range(3):
            look = rested(world, lambda look: bool(look.of(NodeKind.CONNECTION)))
            assert [node.name for node in look.of(NodeKind.CONNECTION)] == ["c"]
            assert look.faults == [f"bad: {says}"]
            assert cannot_judge(look.observation.coverage) == [f"provider bad: {says}"]


def test_one_that_does_not_come_back_keeps_its_own_thread_alone() -> None:
    gate, asked = threading.Event(), threading.Semaphore(0)

    def hangs() -> RpcReport:
        asked.release()
        gate.wait()
        return good()

    with a_world(budget_s=0.3) as world, provided(hangs, name="hangs"), provided(good, name="good"):
        try:
            first = world.look()
            assert first.faults[0] == "hangs: has not answered within 300 ms"
            for _ in range(3):
                look = rested(world, lambda look: bool(look.of(NodeKind.CONNECTION)))
                assert "hangs: has not answered within 300 ms" in look.faults
            assert asked.acquire(timeout=1)
            assert not asked.acquire(timeout=0)  # asked once, as long as it has not come back
            assert _threads() <= 2
        finally:
            gate.set()
        eventually(lambda: _threads() <= 1, "the thread that was kept ends")


def test_one_that_is_slow_is_asked_less_often_and_shown_meanwhile() -> None:
    asked: list[int] = []

    def slow() -> RpcReport:
        asked.append(1)
        end_ns = time.thread_time_ns() + 100_000_000
        while time.thread_time_ns() < end_ns:
            pass
        return good()

    with a_world() as world, provided(slow, name="slow"):
        looks = [world.look() for _ in range(5)]
        assert [[node.name for node in look.of(NodeKind.CONNECTION)] for look in looks] == [["c"]] * 5
        assert len(asked) == 1
        assert looks[-1].observation.coverage[-1:] == ["provider slow: asked less often, for it takes long to answer"]
        assert looks[-1].faults == []


def test_without_providers_there_is_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "multiprocessing.shared_memory", raising=False)  # asked by a provider of ours
    with a_world() as world:
        world.look()
        assert _threads() == 0
        with provided(good):
            world.look()
            assert _threads() == 1
        world.look()
        eventually(lambda: _threads() == 0)


def test_a_forked_child_does_not_ask_what_its_parent_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    with a_world() as world, provided(good) as handle:
        parent = os.getpid()
        monkeypatch.setattr(os, "getpid", lambda: parent + 1)
        look = world.look()
        assert look.of(NodeKind.CONNECTION) == []
        assert look.observation.coverage == ["providers: 1 registered before the fork, not asked in the child"]
        assert handle.name == "wire"


def _threads() -> int:
    return sum(thread.name == THREAD_NAME for thread in threading.enumerate())
