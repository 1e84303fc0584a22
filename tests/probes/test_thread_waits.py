# SPDX-License-Identifier: Apache-2.0
"""Every way in which a thread of the standard library can wait: what it is seen to do, for whom, and on which line."""

from __future__ import annotations

import threading
import time

import pytest

from tests.probes.thread_wait_cases import CASES, Case, condition_lock, place
from tests.probes.threads_world import world

SECOND = 1_000_000_000


@pytest.mark.parametrize("case", CASES, ids=[case.build.__name__ for case in CASES])
def test_what_a_thread_waits_for(case: Case) -> None:
    with world() as w:
        case.build(w)
        before_ns = time.time_ns()
        w.settled("waiter", state=case.state)
        if case.build is condition_lock:
            w.until(lambda seen: (wait := seen.thread("waiter").wait) is not None and wait.operation == case.operation)
        seen = w.look()
        node = seen.thread("waiter")
        assert node.wait is not None
        assert (node.wait.operation, node.state) == (case.operation, case.state)
        assert [seen.label(found.id).partition(" fd ")[0] for found in seen.needed("waiter")] == list(case.needs)
        assert node.wait.source == place(case)
        assert node.wait.source in [f"{frame.file}:{frame.line}" for frame in node.stack]
        assert before_ns - SECOND < node.wait.since_ns <= time.time_ns()
        if case.seconds is None:
            assert node.wait.deadline_ns is None
        else:
            assert node.wait.deadline_ns is not None
            assert abs(node.wait.deadline_ns - before_ns - case.seconds * SECOND) < SECOND
        for edge in seen.observation.edges[node.id]:
            assert (edge.since_ns, edge.source) == (node.wait.since_ns, node.wait.source)


def test_a_wait_is_the_same_at_the_next_look_and_another_one_is_not() -> None:
    with world() as w:
        first, second = threading.Event(), threading.Event()

        def run() -> None:
            first.wait()
            second.wait()

        w.start("waiter", run)
        w.cleaning += [second.set, first.set]
        one, two = w.settled("waiter"), w.look()
        assert one.thread("waiter") is two.thread("waiter")
        assert one.observation.edges[one.thread("waiter").id] is two.observation.edges[one.thread("waiter").id]
        first.set()
        seen = w.until(lambda s: [node.name for node in s.needed("waiter")] == ["second"])
        before, after = one.thread("waiter"), seen.thread("waiter")
        assert before.steps is not None
        assert after.steps is not None
        assert after.steps > before.steps
        assert before.wait is not None
        assert after.wait is not None
        assert after.wait.since_ns > before.wait.since_ns


def test_a_thread_that_takes_a_lock_without_waiting_does_not_wait() -> None:
    with world() as w:
        stop = threading.Event()
        lock = threading.Lock()

        def spin() -> None:
            while not stop.is_set():
                lock.acquire(blocking=False)

        w.start("busy", spin)
        w.cleaning.append(stop.set)
        for _ in range(30):
            node = w.look().thread("busy")
            assert node.wait is None
            assert node.state in ("running", "gil")
            time.sleep(0.005)
