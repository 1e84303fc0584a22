# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from peeps_otel.diagnosis import leaks
from peeps_otel.diagnosis.leaks import Loss
from peeps_otel.model import Finding, FindingKind, Graph, Level, Wait
from tests.diagnosis.world import SECOND, START, World

SURE = Loss(True, False)


def find(world: World, *names: str, known: frozenset[str] = frozenset(), **other: Loss) -> list[Finding]:
    lost = {f"task:{name}": SURE for name in names} | {f"task:{name}": loss for name, loss in other.items()}
    return leaks.find(Graph(world.nodes, world.edges), lost, known)


def test_one_task() -> None:
    world = World()
    world.task("reader", "rx:jobs", operation="queue.get")
    (finding,) = find(world, "reader")
    assert finding.kind is FindingKind.LEAK
    assert finding.level is Level.PROVEN
    assert finding.title.startswith("reader waits ")
    assert finding.title.endswith("; nothing that can run reaches that")
    wait = world.nodes["task:reader"].wait
    assert wait is not None
    assert finding.look_at == wait.source
    assert finding.core[0] == "task:reader"


def test_tasks_of_one_line_are_one_finding_named_after_the_oldest() -> None:
    world = World()
    for number in range(3):
        world.task(f"order-{number}", deadline=None, operation="future", since=START - number * SECOND)
        node = world.nodes[f"task:order-{number}"]
        node.wait = Wait("future", START - number * SECOND, "/srv/shop/app/orders.py:7")
        node.state = "waiting"
    (finding,) = find(world, "order-0", "order-1", "order-2")
    assert finding.title == (
        "3 tasks wait for ever at app/orders.py:7: order-2 waits for a future; nothing that can run reaches that"
    )
    assert finding.since_ns == START - 2 * SECOND
    assert finding.core == ["task:order-2", "task:order-1", "task:order-0"]
    again = find(world, "order-2")
    assert again[0].id == finding.id  # the same leak, whoever comes later


def test_who_only_waits_for_a_lost_one_stands_behind_it() -> None:
    world = World()
    world.task("child", "event:never", operation="event.wait")
    world.task("parent", "task:child", operation="task")
    world.task("grandparent", "task:parent", operation="task")
    (finding,) = find(world, "child", "parent", "grandparent")
    assert finding.core == ["task:child", "event:never"]
    assert set(finding.blocked) == {"task:parent", "task:grandparent"}


def test_what_a_deadlock_has_explained_is_left_out() -> None:
    world = World()
    world.task("a", "task:b", operation="task")
    world.task("b", "task:a", operation="task")
    assert find(world, "a", "b", known=frozenset({"task:a", "task:b"})) == []
    assert sorted(node for f in find(world, "a", "b") for node in f.core) == ["task:a", "task:b"]


def test_what_is_not_sure_is_not_proven() -> None:
    world = World()
    world.task("maybe", "event:one", operation="event.wait")
    world.task("dying", "event:two", operation="event.wait")
    found = find(world, maybe=Loss(False, False), dying=Loss(True, True))
    assert [f.level for f in found] == [Level.LIKELY, Level.LIKELY]
    (dying,) = (f for f in found if f.core[0] == "task:dying")
    assert "garbage collection will destroy it" in dying.title


def test_a_task_that_has_gone_on_is_not_told() -> None:
    world = World()
    world.task("runs")
    assert find(world, "runs", "never seen") == []
