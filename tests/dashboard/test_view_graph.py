# SPDX-License-Identifier: Apache-2.0
"""Pictures, table rows, details, and names that must appear as they are."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from peeps_dashboard.view import details, escaping, focus, processes, ring, tasks
from tests.dashboard import fake_api, scenarios

NOW = scenarios.FROZEN_NOW


class Frozen:
    """A scenario at rest, asked as a page asks."""

    def __init__(self, name: str) -> None:
        self.world = scenarios.make(name, frozen=True)
        self.names = processes.names(self.world.process_rows(NOW))

    def snapshot(self, **query: str) -> Any:
        asked = {k: [v] for k, v in query.items()}
        return fake_api.snapshot_answer(self.world, NOW, asked)

    def ring(self, **change: Any) -> Any:
        finding: Any = self.world.told_findings(NOW)[0] | change
        around = self.snapshot(finding=finding["id"])
        return ring.of_finding(finding, around, self.names, selected=None, height=300)

    def node(self, node_id: str) -> Any:
        return fake_api.node_answer(self.world, NOW, node_id)[1]


def test_the_ring_with_everything_else_folded() -> None:
    picture = Frozen("deadlock").ring()
    assert {k: v for k, v in picture.items() if k not in ("nodes", "edges")} == {
        "view": "deadlock:0000000000000001",
        "layout": "ring",
        "cycle": ["task:A", "lock:DB", "task:B", "lock:CACHE"],
        "total": 36,
        "selected": None,
        "height": 300,
        "alt": "worker-a waits for Lock db, held by worker-b, which waits for Lock cache, held by worker-a",
    }
    assert [(n["id"], n["kind"], n["label"], n["sub"], n["tone"]) for n in picture["nodes"]] == [
        ("task:A", "task", "worker-a", "waits 43 s · service.py:31", "stuck"),
        ("lock:DB", "lock", "Lock db", "locks.py:8", "stuck"),
        ("task:B", "task", "worker-b", "waits 42 s · jobs.py:45", "stuck"),
        ("lock:CACHE", "lock", "Lock cache", "locks.py:9", "stuck"),
        ("fold-lock:DB", "fold", "+27 tasks wait", "request-00, …", "fold"),
        ("fold-lock:CACHE", "fold", "+4 tasks wait", "request-27, …", "fold"),
    ]
    assert (
        picture["nodes"][0]["tip"] == "Task worker-a\nwaits 43 s\norders (4711)\nlock.acquire at orders/service.py:31"
    )
    assert [(e["source"], e["target"], e["kind"], e["label"]) for e in picture["edges"]] == [
        ("task:A", "lock:DB", "needs", "waits for"),
        ("lock:DB", "task:B", "held_by", "held by"),
        ("task:B", "lock:CACHE", "needs", "waits for"),
        ("lock:CACHE", "task:A", "held_by", "held by"),
        ("fold-lock:DB", "lock:DB", "needs", ""),
        ("fold-lock:CACHE", "lock:CACHE", "needs", ""),
    ]


def test_boxes_of_several_processes_say_of_which_they_are() -> None:
    frozen = Frozen("deadlock")
    frozen.world.nodes["task:B"]["process"] = "elsewhere"
    subs = {n["id"]: n["sub"] for n in frozen.ring()["nodes"]}
    assert (subs["task:A"], subs["task:B"]) == ("waits 43 s · orders (4711)", "waits 42 s · elsewhere")


def test_the_ring_begins_with_the_task_the_sentence_begins_with() -> None:
    turned = ["lock:CACHE", "task:A", "lock:DB", "task:B"]
    picture = Frozen("deadlock").ring(cycle=turned)
    assert picture["cycle"] == ["task:A", "lock:DB", "task:B", "lock:CACHE"]
    assert len(Frozen("deadlock").ring(cycle=turned, evidence=[])["cycle"]) == 4


def test_blocked_tasks_beyond_the_answer_are_counted() -> None:
    frozen = Frozen("deadlock")
    picture = frozen.ring(blocked_count=1031)
    assert [n["label"] for n in picture["nodes"][4:]] == ["+27 tasks wait", "+4 tasks wait", "+1,000 tasks wait"]
    finding: Any = frozen.world.told_findings(NOW)[0]
    alone = ring.of_finding(finding, None, frozen.names, selected=None, height=300)
    assert [n["label"] for n in alone["nodes"][4:]] == ["+31 tasks wait"]


def test_a_single_waiter_is_drawn_by_name() -> None:
    picture = Frozen("deadlock").ring(blocked=["task:W00"], blocked_count=1)
    assert [n["label"] for n in picture["nodes"][4:]] == ["request-00"]


def test_without_a_ring_the_chain_is_drawn() -> None:
    channel = Frozen("channel_full").ring()
    assert (channel["layout"], channel["cycle"]) == ("layered", [])
    assert [(e["source"], e["target"], e["label"]) for e in channel["edges"]] == [
        ("task:P", "tx:Q", "waits for"),
        ("tx:Q", "task:C", "read by"),
        ("fold-tx:Q", "tx:Q", ""),
    ]
    semaphore = Frozen("semaphore_starved").ring()
    assert [n["label"] for n in semaphore["nodes"]] == [
        "charge-9",
        "Semaphore pool",
        "charge-0",
        "charge-1",
        "charge-2",
    ]
    assert [e["label"] for e in semaphore["edges"]] == ["waits for", "held by", "held by", "held by"]


def test_what_is_drawn_beside_the_evidence_is_joined_to_it_and_the_dead_do_not_wait() -> None:
    frozen = Frozen("channel_full")
    finding: Any = frozen.world.told_findings(NOW)[0]
    around = frozen.snapshot(finding=finding["id"])
    finding["evidence"][0]["relation"] = "died of ValueError and had used"
    finding["core"] = [*finding["core"], "task:other"]
    finding["nodes"]["task:other"] = finding["nodes"]["task:P"] | {"id": "task:other"}
    around["edges"].append({"kind": "held_by", "src": "task:other", "dst": "task:P"})
    drawn = ring.of_finding(finding, around, frozen.names, selected=None, height=300)
    edges = {(e["source"], e["target"]): e["label"] for e in drawn["edges"]}
    assert edges["task:P", "tx:Q"] == "died with"
    assert edges["task:other", "task:P"] == "held by"


def test_who_could_end_a_wait_is_not_said_to_hold_anything() -> None:
    finding: Any = copy.deepcopy(Frozen("deadlock").world.told_findings(NOW)[0])
    frozen = Frozen("deadlock")
    finding["evidence"][0] |= {"hold_age": "", "hold_source": None}
    drawn = ring.of_finding(finding, None, frozen.names, selected=None, height=300)
    labels = {e["source"]: e["label"] for e in drawn["edges"] if e["kind"] == "held_by"}
    first, second = finding["evidence"]
    assert labels == {first["resource"]: "could be ended by", second["resource"]: "held by"}


def draw(frozen: Frozen, snapshot: Any, **more: Any) -> Any:
    return focus.of_snapshot(snapshot, frozen.names, view="v", selected=None, height=600, **more)


def test_a_crowd_of_waiters_is_folded_until_asked_for() -> None:
    frozen = Frozen("deadlock")
    snapshot = frozen.snapshot(finding="deadlock:0000000000000001")
    stuck = focus.stuck_ids(frozen.world.findings)
    assert stuck == {"task:A", "task:B", "lock:DB", "lock:CACHE"}
    folded = draw(frozen, snapshot, stuck=stuck, cycle=["task:A", "lock:DB", "task:B", "lock:CACHE"])
    assert [n["label"] for n in folded["nodes"] if n["kind"] == "fold"] == ["+23 tasks wait"]
    assert len(folded["nodes"]) == 13
    assert len(folded["cycle"]) == 4
    assert {n["label"] for n in folded["nodes"] if n["tone"] == "stuck"} == {
        "worker-a",
        "Lock cache",
        "worker-b",
        "Lock db",
    }
    opened = draw(frozen, snapshot, stuck=stuck, unfold="lock:DB")
    assert len(opened["nodes"]) == 35


def test_a_parent_that_waits_for_all_of_them_keeps_no_crowd_unfolded() -> None:
    frozen = Frozen("deadlock")
    for number in range(27):
        frozen.world.edge("needs", "task:MAIN", f"task:W{number:02}")
    snapshot = frozen.snapshot()
    picture = draw(frozen, snapshot)
    assert [n["label"] for n in picture["nodes"] if n["kind"] == "fold"] == ["+23 tasks wait"]
    assert [(e["source"], e["kind"]) for e in picture["edges"] if e["target"] == "fold-lock:DB"] == [
        ("task:MAIN", "needs")
    ]


def test_children_without_any_relation_of_their_own_are_folded() -> None:
    frozen = Frozen("many")
    picture = draw(frozen, frozen.snapshot(limit="200"))
    folds = {n["id"]: n["label"] for n in picture["nodes"] if n["kind"] == "fold"}
    assert folds == {"fold-lock:DB": "+23 tasks wait", "fold-started-by|task:MAIN": "+160 tasks"}
    assert {(e["source"], e["kind"]) for e in picture["edges"] if e["target"].startswith("fold-")} == {
        ("task:MAIN", "spawned")
    }
    opened = draw(frozen, frozen.snapshot(limit="200"), unfold="started-by|task:MAIN")
    assert len(opened["nodes"]) == len(picture["nodes"]) + 159


def test_never_more_than_the_limit_and_the_focused_node_is_always_there() -> None:
    frozen = Frozen("many")
    picture = draw(frozen, frozen.snapshot(), keep="task:X1999")
    assert len(picture["nodes"]) <= focus.LIMIT + 2
    assert picture["nodes"][0]["id"] == "task:X1999"
    assert picture["total"] == 2036


def test_lonely_nodes_are_drawn_where_there_is_nothing_else() -> None:
    frozen = Frozen("healthy")
    frozen.world.edges.clear()
    assert len(draw(frozen, frozen.snapshot())["nodes"]) == 13


def test_search_order_and_label() -> None:
    frozen = Frozen("healthy")
    nodes = focus.search_order(frozen.snapshot()["nodes"])
    assert nodes[0]["name"] == "main"
    assert nodes[-1]["name"] == "worker-9"
    assert focus.search_label(nodes[0], frozen.names) == "main · task · orders (4711) · app.py:12"


def test_rows_of_the_table() -> None:
    frozen = Frozen("deadlock")
    stuck = focus.stuck_ids(frozen.world.findings)
    snapshot = frozen.snapshot()
    (waiting,) = (node["wait"] for node in snapshot["nodes"] if node["id"] == "task:A")
    waiting["text"] = "async with self.db:"
    rows = tasks.rows(snapshot, NOW, frozen.names, stuck=stuck)
    assert rows[0] == tasks.Row(
        id="task:A",
        name="worker-a",
        kind="task",
        state="stuck",
        waits_for="Lock db",
        seconds=43.0,
        how_long="43 s",
        where="orders/service.py:31",
        line="async with self.db:",
        process="orders (4711)",
        source="app.py:12",
    )
    assert [r.name for r in rows[:5]] == ["worker-a", "worker-b", "main", "request-00", "request-01"]
    assert tasks.summary(rows, frozen.snapshot()) == "34 of 34 tasks and threads"


@pytest.mark.parametrize(
    ("search", "states", "found"),
    [
        ("CACHE", (), 5),
        ("lock db", ("stuck",), 1),
        ("worker-b jobs.py", (), 1),
        ("", ("running",), 0),
        ("nothing like it", (), 0),
    ],
)
def test_filters_of_the_table(search: str, states: tuple[str, ...], found: int) -> None:
    frozen = Frozen("deadlock")
    stuck = focus.stuck_ids(frozen.world.findings)
    rows = tasks.rows(frozen.snapshot(), NOW, frozen.names, stuck=stuck, states=states, search=search)
    assert len(rows) == found


def test_details_of_a_node() -> None:
    frozen = Frozen("deadlock")
    shown = details.of_answer(frozen.node("task:A"), frozen.names)
    assert (shown.name, shown.kind, shown.state) == ("worker-a", "task", "waits 43 s")
    assert shown.facts == [
        ("process", "orders (4711)"),
        ("source", "app.py:12"),
        ("operation", "lock.acquire"),
        ("waits at", "orders/service.py:31"),
        ("waiting for", "43 s"),
        ("age", "1 min 35 s"),
    ]
    assert shown.attributes == [
        ("peeps.node.id", "task:A"),
        ("peeps.created_at", str(NOW - 95 * scenarios.S)),
        ("peeps.source", "app.py:12"),
        ("peeps.task.steps", "4"),
        ("peeps.loop.id", "1"),
    ]
    assert [(n.relation, n.name) for n in shown.neighbours] == [
        ("holds", "Lock cache"),
        ("waits for", "Lock db"),
        ("started by", "main"),
    ]
    assert shown.findings == [("deadlock:0000000000000001", "DEADLOCK, PROVEN")]


def test_details_say_a_bound_and_a_deadline() -> None:
    frozen = Frozen("deadlock")
    answer = frozen.node("task:A")
    answer["node"]["wait"] |= {"exact": False, "gives_up_in": "7 s"}
    facts = dict(details.of_answer(answer, {}).facts)
    assert (facts["waiting for"], facts["gives up"]) == ("43 s at least", "in 7 s")


def test_markdown_has_no_live_punctuation_left() -> None:
    assert escaping.markdown("*x* $y$") == r"\*x\* \$y\$"
    assert escaping.markdown("plain name 7") == "plain name 7"
    assert escaping.markdown("two\nlines") == "two lines"
    for name in scenarios.HOSTILE:
        shown = escaping.markdown(name)
        assert shown.replace("\\", "").replace("\u2060", "") == name.replace("\\", "")
        bare = shown.replace("\u2060", "")
        live = [c for i, c in enumerate(bare) if not c.isalnum() and c not in " \\" and (i == 0 or bare[i - 1] != "\\")]
        assert live == []


def test_markup_is_escaped() -> None:
    assert escaping.markup('<b a="1">&\n') == "&lt;b a=&quot;1&quot;&gt;&amp; "


@pytest.mark.parametrize(
    ("text", "parted"),
    [
        ("  ", (None, None)),
        ("worker a", ("worker a", None)),
        ("db.py:31", ("db.py:31", None)),
        ("work:31", ("work:31", None)),
        ("state:stuck", (None, "state:stuck")),
        ("idle waits>5s", (None, "idle waits>5s")),
        ("-name:idle", (None, "-name:idle")),
    ],
)
def test_words_are_searched_for_and_a_filter_is_drawn(text: str, parted: tuple[str | None, str | None]) -> None:
    assert focus.parted(text) == parted
