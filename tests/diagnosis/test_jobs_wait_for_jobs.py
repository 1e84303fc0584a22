# SPDX-License-Identifier: Apache-2.0
"""Workers of a queue of jobs that wait, within a job, for the result of another one."""

from __future__ import annotations

from dataclasses import replace

from peeps_otel.diagnosis import Diagnoser
from peeps_otel.model import Finding, Frame, NodeKind, Providers, Wait
from tests.diagnosis.world import SECOND, START, World, brief

_WORKS = Frame("Consumer.run", "/env/huey/consumer.py", 7, "huey")
_OWN = Frame("report", "/srv/shop/app/jobs.py", 12, "")
_ASKS = Frame("Result.get", "/env/huey/api.py", 9, "huey")
_SLEEPS = Frame("sleep", "/usr/lib/time.py", 1, "Python")
_IN_JOB = (_WORKS, _OWN, _ASKS, _SLEEPS)


def _waits(world: World, name: str, stack: tuple[Frame, ...] = _IN_JOB, deadline: int | None = None) -> str:
    one = world.thread(name, stack=stack, state="waiting")
    wait = Wait("job.result", START, "/srv/shop/app/jobs.py:12", 1, deadline)
    world.nodes[one] = replace(world.nodes[one], wait=wait)
    return one


def diagnose(world: World, after: int) -> list[Finding]:
    return Diagnoser().look(world.graph(), START + after)


def test_the_only_worker_cannot_do_it() -> None:
    world = World()
    _waits(world, "Worker-1")
    assert diagnose(world, after=4 * SECOND) == []
    said = "thread Worker-1 does a job and waits at app/jobs.py:12 for the result of another, "
    said += "which a worker like it must do"
    assert brief(diagnose(world, after=6 * SECOND)) == [("deadlock", "SLOW", said)]
    assert brief(diagnose(world, after=16 * SECOND)) == [("deadlock", "SUSPECT", said)]


def test_all_of_a_pool_are_one_finding_and_one_that_works_may_do_it() -> None:
    world = World()
    workers = [_waits(world, f"pool_{number}") for number in range(2)]
    world.resource(NodeKind.EXECUTOR, "pool", *workers, providers=Providers.OPEN)
    (finding,) = diagnose(world, after=20 * SECOND)
    assert (finding.level, finding.look_at) == ("SUSPECT", "/srv/shop/app/jobs.py:12")
    assert "each of 2 workers" in finding.title
    world = World()
    workers = [_waits(world, "pool_0"), world.thread("pool_1")]
    world.resource(NodeKind.EXECUTOR, "pool", *workers, providers=Providers.OPEN)
    assert diagnose(world, after=20 * SECOND) == []


def _place(world: World, name: str, deadline: int | None = None) -> str:
    """A job in one of the places of a worker of tasks, which waits for another job."""
    asks = world.task(name, operation="job.result", peeps__task__job_from="mails", state="waiting")
    wait = Wait("job.result", START, "/srv/shop/app/jobs.py:12", 1, None)
    world.nodes[asks] = replace(world.nodes[asks], wait=wait, state="waiting")
    return world.task(f"runs {name}", asks, operation="wait_for", deadline=deadline)


def _places(world: World, *holders: str, left: int = 0) -> None:
    about = {"peeps.job.places": "mails", "peeps.semaphore.available": left}
    about["peeps.semaphore.permits"] = len(holders) + left
    one = world.resource(NodeKind.SEMAPHORE, "mails", *holders, providers=Providers.OPEN)
    world.nodes[one].attributes.update(about)


def test_all_places_of_a_worker_of_tasks() -> None:
    world = World()
    _places(world, _place(world, "jan"), _place(world, "feb"))
    ((kind, level, title),) = brief(diagnose(world, after=16 * SECOND))
    assert (kind, level) == ("deadlock", "SUSPECT")
    assert title.startswith(
        "each of 2 workers, as feb, does a job and waits at app/jobs.py:12 for the result of another"
    )
    assert [one[1] for one in brief(diagnose(world, after=6 * SECOND))] == ["SLOW"]


def test_a_place_that_is_left_may_do_it() -> None:
    world = World()
    _places(world, _place(world, "jan"), left=1)
    assert [one for one in brief(diagnose(world, after=16 * SECOND)) if one[0] == "deadlock"] == []


def test_another_job_that_works_may_go_on() -> None:
    world = World()
    _places(world, _place(world, "jan"), world.task("runs", world.task("works"), operation="wait_for"))
    assert [one for one in brief(diagnose(world, after=16 * SECOND)) if one[0] == "deadlock"] == []


def test_a_job_that_is_ended_soon_is_slow() -> None:
    world = World()
    _places(world, _place(world, "jan", deadline=START + 60 * SECOND))
    assert [one[1] for one in brief(diagnose(world, after=16 * SECOND)) if one[0] == "deadlock"] == ["SLOW"]


def test_a_client_is_no_worker() -> None:
    world = World()
    _waits(world, "MainThread", stack=(_OWN, _ASKS, _SLEEPS))
    assert diagnose(world, after=20 * SECOND) == []


def test_with_a_deadline_or_workers_that_are_not_seen_it_is_slow() -> None:
    world = World()
    _waits(world, "Worker-1", deadline=START + 60 * SECOND)
    assert [finding.level for finding in diagnose(world, after=20 * SECOND)] == ["SLOW"]
    world = World()
    one = _waits(world, "MainThread")
    about = {"peeps.thread.process": "ForkPoolWorker-1"}
    world.nodes[one] = replace(world.nodes[one], attributes=about)
    assert [finding.level for finding in diagnose(world, after=20 * SECOND)] == ["SLOW"]


def test_an_idle_worker_may_do_it_and_a_thread_of_another_kind_may_not() -> None:
    begins, works, other = (
        Frame(f"Consumer.{name}", "/env/huey/consumer.py", 7, "huey") for name in ("run", "work", "schedule")
    )
    world = World()
    _waits(world, "Worker-1", stack=(begins, works, _OWN, _ASKS, _SLEEPS))
    world.thread("Scheduler", stack=(begins, other, _SLEEPS), state="idle")
    assert [finding.level for finding in diagnose(world, after=20 * SECOND)] == ["SUSPECT"]
    world.thread("Worker-2", stack=(begins, works, _SLEEPS), state="idle")
    assert diagnose(world, after=20 * SECOND) == []


def test_a_deadline_that_is_far_off_is_none() -> None:
    world = World()
    _waits(world, "Worker-1", deadline=START + 3600 * SECOND)
    (finding,) = diagnose(world, after=16 * SECOND)
    assert finding.level == "SUSPECT"
