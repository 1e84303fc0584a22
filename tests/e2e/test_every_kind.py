# SPDX-License-Identifier: Apache-2.0
"""Every kind and edge of the contract that peeps follows, in a real program: the tables of `docs/kinds.md`."""

from __future__ import annotations

import re
from typing import Any

from tests.e2e.conftest import Watch
from tests.e2e.e2e_support import ROOT, Collector
from tests.support.waiting import eventually

PROGRAM = ROOT / "tests" / "e2e" / "every_kind.py"
Fact = tuple[str, str, str]
"""A task, the operation of its wait, the kind of what it needs (`` for nothing); or two kinds with an edge between."""

KINDS: dict[str, Fact] = {
    "future": ("initializes", "sleep", ""),
    "aether": ("main", "sleep", ""),
    "lock": ("lock", "lock.acquire", "lock"),
    "tx": ("tx", "queue.put", "tx"),
    "mpsc_tx": ("tx", "queue.put", "tx"),
    "channel_tx": ("tx", "queue.put", "tx"),
    "broadcast_tx": ("tx", "queue.put", "tx"),
    "rx": ("rx", "queue.get", "rx"),
    "mpsc_rx": ("rx", "queue.get", "rx"),
    "channel_rx": ("rx", "queue.get", "rx"),
    "broadcast_rx": ("rx", "queue.get", "rx"),
    "oneshot_tx": ("oneshot", "future", "future"),
    "oneshot_rx": ("oneshot", "future", "future"),
    "watch_tx": ("watch", "condition.wait", "condition"),
    "watch_rx": ("watch", "condition.wait", "condition"),
    "remote_tx": ("tx", "touches", "connection"),
    "remote_rx": ("rx", "touches", "connection"),
    "request": ("request", "future", "request"),
    "response": ("response", "handled_by", "task"),
    "connection": ("tx", "touches", "connection"),
    "joinset": ("joinset", "taskgroup", "task"),
    "semaphore": ("semaphore", "semaphore.acquire", "semaphore"),
    "notify": ("notify", "event.wait", "event"),
    "oncecell": ("oncecell", "task", "task"),
    "once_cell": ("oncecell", "task", "task"),
    "interval": ("interval", "sleep", ""),
    "sleep": ("sleep", "sleep", ""),
    "timeout": ("timeout", "wait_for", "task"),
    "command": ("command", "subprocess.wait", "command"),
    "file_op": ("file_op", "executor", "future"),
    "net_connect": ("net_connect", "socket.connect", "io"),
    "net_accept": ("net_accept", "socket.accept", "io"),
    "net_readable": ("net_readable", "stream.read", "io"),
    "net_read": ("net_readable", "stream.read", "io"),
    "net_writable": ("net_writable", "stream.drain", "io"),
    "net_write": ("net_writable", "stream.drain", "io"),
    "syscall": ("future", "held_by", "thread"),
    "custom": ("custom", "had", "event"),
}
EDGES: dict[str, Fact] = {
    "needs": ("barrier", "barrier.wait", "barrier"),
    "waiting_on": ("barrier", "barrier.wait", "barrier"),
    "touches": ("task", "touches", "tx"),
    "spawned": ("task", "spawned", "task"),
    "closed_by": ("tx", "closed_by", "task"),
    "channel_link": ("tx", "channel_link", "rx"),
    "paired_with": ("tx", "channel_link", "rx"),
    "rpc_link": ("request", "rpc_link", "response"),
    "held_by": ("lock", "held_by", "task"),
}
OURS: set[Fact] = {("executor", "held_by", "thread")}
HAVE_NOTHING_HERE = {"ghost", "polls"}


def test_the_document_has_a_line_for_each() -> None:
    document = (ROOT / "docs" / "kinds.md").read_text()
    cells = [line.split("|")[1] for line in document.splitlines() if line.startswith("| `")]
    assert {name for cell in cells for name in re.findall(r"`(\w+)`", cell)} == {*KINDS, *EDGES, *HAVE_NOTHING_HERE}


def test_a_program_shows_each(collector: Collector, watch: Watch) -> None:
    wanted = {*KINDS.values(), *EDGES.values(), *OURS}
    watch(PROGRAM)

    missing: set[Fact] = set()

    def all_there() -> bool:
        nonlocal missing
        missing = wanted - facts(collector.get("/api/snapshot"))
        return not missing

    try:
        eventually(all_there, "everything is seen")
    except AssertionError:
        assert missing == set()
        raise
    threads = {n["name"]: n["state"] for n in collector.get("/api/snapshot")["nodes"] if n["kind"] == "thread"}
    assert threads["asyncio_0"] == "blocked"  # it opens a file that nobody writes


def facts(answer: dict[str, Any]) -> set[Fact]:
    nodes = {node["id"]: node for node in answer["nodes"]}
    found: set[Fact] = set()
    for edge in answer["edges"]:
        src, dst = nodes.get(edge["src"]), nodes.get(edge["dst"])
        if src is not None and dst is not None:
            found.add((src["kind"], edge["kind"], dst["kind"]))
            if edge["kind"] == "needs" and src["wait"]:
                found.add((src["name"], src["wait"]["operation"], dst["kind"]))
    ends = [node for node in nodes.values() if node["wait"] and node["wait"]["deadline_ns"]]
    return found | {(node["name"].partition(" ")[0], node["wait"]["operation"], "") for node in ends}
