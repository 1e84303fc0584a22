# SPDX-License-Identifier: Apache-2.0
"""Small worlds for the fake API: processes, nodes, edges, findings."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from peeps_otel.report import in_words
from peeps_otel.report.sentences import duration

S = 1_000_000_000
FROZEN_NOW = 1_795_000_000 * S
ORDERS, BILLING = "orders-7f3a9c", "billing-1b2c3d"
HOSTILE = (
    "*x*",
    "<b>bold</b>",
    "[a](javascript:alert(1))",
    ":red[x]",
    "$x$",
    ":smile:",
    "<img src=x onerror=alert(1)>",
    "a--b->c",
    "`code` | **b** ~~s~~ https://example.invalid/x :material/home:",
)


_STDLIB = ("asyncio/", "queue.py")


def _frame(function: str, file: str, line: int) -> dict[str, Any]:
    library = {"library": "Python"} if any(part in file for part in _STDLIB) else {}
    return {"function": function, "file": file, "line": line, "own": not library} | library


@dataclass
class World:
    """`ticking`: the clock goes on, so that ages count. Otherwise everything is frozen, for exact comparisons."""

    now_ns: int
    ticking: bool = True
    version: int = 812
    processes: list[Any] = field(default_factory=list[Any])
    nodes: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    edges: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    findings: list[Any] = field(default_factory=list[Any])
    ended: list[str] = field(default_factory=list[str])

    def process(self, pid: str, service: str, number: int, state: str = "live", silent_s: float = 0.0) -> None:
        row = {"id": pid, "service": service, "pid": number, "host": "web-1", "runtime": "CPython 3.11.7"}
        row |= {"state": state, "first_seen_ns": self.now_ns - 600 * S, "silent_ns": int(silent_s * S)}
        row |= {"sequence": 12, "interval_ns": S, "cpu_ns": 800000, "dropped": 0, "coverage": [], "shed": []}
        self.processes.append(row)

    def process_rows(self, now: int) -> list[Any]:
        rows: list[Any] = []
        for p in self.processes:
            mine = [n for n in self.nodes.values() if n["process"] == p["id"]]
            row = {k: v for k, v in p.items() if k != "silent_ns"}
            row["last_seen_ns"] = now - (p["silent_ns"] or (now % S if self.ticking else 2 * S // 5))
            row |= {"nodes": len(mine), "tasks": sum(n["kind"] == "task" for n in mine)}
            row["last_seen_ago"] = duration(now - row["last_seen_ns"])
            row["waiting"] = sum(n["wait"] is not None for n in mine)
            rows.append(row)
        return rows

    def told(self, node_id: str, now: int) -> dict[str, Any]:
        """A node in the words of the real API."""
        return in_words.node(copy.deepcopy(self.nodes[node_id]), now, in_words.Places())

    def told_findings(self, now: int) -> list[dict[str, Any]]:
        answer: list[dict[str, Any]] = []
        for finding in copy.deepcopy(self.findings):
            nodes = {i: self.told(i, now) for i in finding["nodes"]}
            told: dict[str, Any] = in_words.finding(finding, nodes, now, in_words.Places()) | {"nodes": nodes}
            told["text"] = "\n".join([told["headline"], told["title"]])
            answer.append(told | {"behind": in_words.behind(told["blocked"], nodes, told["blocked_count"])})
        return answer

    def silent_ids(self) -> list[str]:
        return [p["id"] for p in self.processes if p["state"] == "silent"]

    def node(
        self,
        node_id: str,
        name: str,
        process: str = ORDERS,
        source: str = "app.py:12",
        wait: tuple[str, float, str] | None = None,
        stack: list[tuple[str, str, int]] | None = None,
        attributes: dict[str, Any] | None = None,
    ) -> str:
        kind = node_id.partition(":")[0]
        made: dict[str, Any] | None = None
        if wait:
            operation, seconds, where = wait
            made = {"operation": operation, "since_ns": self.now_ns - int(seconds * S), "source": where}
            made |= {"needs": 1, "deadline_ns": None, "exact": True}
        self.nodes[node_id] = {
            "id": node_id,
            "kind": kind,
            "name": name,
            "process": process,
            "created_at": self.now_ns - 95 * S,
            "source": source,
            "confidence": "exact",
            "state": "waiting" if wait else "running" if kind in ("task", "thread") else "",
            "providers": "closed" if kind == "lock" else None,
            "wait": made,
            "stack": [_frame(*row) for row in stack or []],
            "steps": 4 if kind == "task" else None,
            "attributes": attributes or {},
        }
        return node_id

    def edge(self, kind: str, src: str, dst: str) -> None:
        row = {"kind": kind, "src": src, "dst": dst, "since_ns": self.now_ns - 43 * S, "source": None}
        self.edges.append(row | {"confidence": "exact", "cancels": False})

    def finding(
        self,
        number: int,
        kind: str,
        level: str,
        title: str,
        seconds: float,
        links: Sequence[tuple[str, str, str | None, str, str | None]],
        cycle: list[str],
        blocked: list[str],
        advice: str,
    ) -> None:
        core = list(dict.fromkeys(i for w, r, h, _, _ in links for i in (w, r, h) if i))
        since = self.now_ns - int(seconds * S)
        evidence = [
            {
                "waiter": w,
                "resource": r,
                "holder": h,
                "since_ns": since,
                "wait_source": at,
                "hold_since_ns": since - S if taken else None,
                "hold_source": taken,
                "holder_doing": "",
                "text": f"{self.nodes[w]['name']} waits for {self.nodes[r]['name']} at {at}",
            }
            for w, r, h, at, taken in links
        ]
        self.findings.append(
            {
                "id": f"{kind}:{number:016x}",
                "kind": kind,
                "level": level,
                "state": "open",
                "title": title,
                "since_ns": since,
                "first_seen_ns": since + S,
                "last_seen_ns": self.now_ns,
                "processes": sorted({self.nodes[i]["process"] for i in core}),
                "core": core,
                "cycle": cycle,
                "blocked": blocked,
                "blocked_count": len(blocked),
                "advice": advice,
                "break_first": "",
                "look_at": links[0][3] if links else "",
                "stack": [],
                "blocked_sites": [],
                "evidence": evidence,
                "nodes": {i: self.nodes[i] for i in [*core, *blocked[:50]]},
            }
        )

    def around(self, node_id: str, depth: int) -> set[str]:
        seen = {node_id} & set(self.nodes)
        for _ in range(depth):
            seen |= {e["dst"] for e in self.edges if e["src"] in seen} | {
                e["src"] for e in self.edges if e["dst"] in seen
            }
        return seen


def _library(operation: str, line: int) -> list[tuple[str, str, int]]:
    return [(operation, "/usr/lib/python3.11/asyncio/locks.py", line)]


def _deadlock(w: World, first: str = "worker-a", second: str = "worker-b") -> None:
    w.process(ORDERS, "orders", 4711)
    main = [("main", "app.py", 58)]
    a_stack = [*main, ("worker", "app.py", 36), ("transfer", "orders/service.py", 31), *_library("acquire", 113)]
    b_stack = [*main, ("worker", "app.py", 41), ("reconcile", "orders/jobs.py", 45), *_library("acquire", 113)]
    loop = {"peeps.loop.id": 1}
    w.node("task:A", first, wait=("lock.acquire", 43, "orders/service.py:31"), stack=a_stack, attributes=loop)
    w.node("task:B", second, wait=("lock.acquire", 42.6, "orders/jobs.py:45"), stack=b_stack, attributes=loop)
    for thing, name, line, waiters in (("lock:DB", "db", 8, 28), ("lock:CACHE", "cache", 9, 5)):
        locked = {"peeps.lock.locked": True, "peeps.resource.waiters": waiters}
        w.node(thing, name, source=f"orders/locks.py:{line}", attributes=locked)
    w.node("task:MAIN", "main", wait=("future.wait", 43.2, "app.py:58"), stack=main)
    for kind, src, dst in (
        ("needs", "task:A", "lock:DB"),
        ("held_by", "lock:DB", "task:B"),
        ("needs", "task:B", "lock:CACHE"),
        ("held_by", "lock:CACHE", "task:A"),
        ("spawned", "task:MAIN", "task:A"),
        ("spawned", "task:MAIN", "task:B"),
    ):
        w.edge(kind, src, dst)
    blocked: list[str] = []
    for i in range(31):
        target = "lock:DB" if i < 27 else "lock:CACHE"
        stack = [("handle", "orders/http.py", 77), ("load", "orders/service.py", 18), *_library("acquire", 113)]
        task = w.node(
            f"task:W{i:02}", f"request-{i:02}", wait=("lock.acquire", 40 - i, "orders/service.py:18"), stack=stack
        )
        w.edge("needs", task, target)
        blocked.append(task)
    links = [
        ("task:A", "lock:DB", "task:B", "orders/service.py:31", "orders/jobs.py:44"),
        ("task:B", "lock:CACHE", "task:A", "orders/jobs.py:45", "orders/service.py:30"),
    ]
    title = f"{first} waits for Lock db, held by {second}, which waits for Lock cache, held by {first}"
    cycle = ["task:A", "lock:DB", "task:B", "lock:CACHE"]
    advice = "take db and cache in the same order everywhere, for instance db first"
    w.finding(1, "deadlock", "PROVEN", title, 43, links, cycle, blocked, advice)
    w.findings[0]["look_at"] = "orders/jobs.py:45"
    w.findings[0]["break_first"] = f"{second}: it took Lock db last at orders/jobs.py:44"
    w.findings[0]["sources"] = {
        "orders/service.py:31": _text(29, "def move():", "    async with self.cache:", "        async with self.db:"),
        "orders/jobs.py:45": _text(
            43, "", "    async with self.db:", "        async with self.cache:", "            go()"
        ),
    }


def _text(first: int, *lines: str) -> dict[str, Any]:
    return {"first": first, "lines": list(lines)}


def _channel(w: World) -> None:
    w.process(BILLING, "billing", 4720)
    put = [("produce", "billing/feed.py", 22), ("put", "/usr/lib/python3.11/asyncio/queues.py", 125)]
    work = [("consume", "billing/feed.py", 37), ("post", "billing/http.py", 90), ("sleep", "asyncio/tasks.py", 649)]
    w.node("task:P", "producer", BILLING, wait=("queue.put", 17, "billing/feed.py:22"), stack=put)
    w.node("task:C", "consumer", BILLING, wait=("sleep", 3, "billing/http.py:90"), stack=work)
    capacity: dict[str, Any] = {"peeps.channel.length": 64, "peeps.channel.capacity": 64}
    w.node("tx:Q", "invoices", BILLING, "billing/feed.py:9", attributes=capacity)
    w.node("rx:Q", "invoices", BILLING, "billing/feed.py:9", attributes=capacity)
    w.edge("needs", "task:P", "tx:Q")
    w.edge("channel_link", "tx:Q", "rx:Q")
    w.edge("touches", "task:C", "rx:Q")
    blocked = [
        w.node(f"task:P{i}", f"producer-{i}", BILLING, wait=("queue.put", 9, "billing/feed.py:22")) for i in range(4)
    ]
    for task in blocked:
        w.edge("needs", task, "tx:Q")
    title = "producer waits to put into Queue invoices, which is full (64 of 64); consumer reads it"
    links = [("task:P", "tx:Q", "task:C", "billing/feed.py:22", None)]
    w.finding(
        2,
        "channel_full",
        "SUSPECT",
        title,
        17,
        links,
        [],
        blocked,
        "let the consumer read faster, or bound the producers",
    )


def _semaphore(w: World) -> None:
    if not any(p["id"] == BILLING for p in w.processes):
        w.process(BILLING, "billing", 4720)
    w.node(
        "semaphore:POOL",
        "pool",
        BILLING,
        "billing/pool.py:5",
        attributes={"peeps.semaphore.permits": 3, "peeps.semaphore.available": 0},
    )
    wait_stack = [("charge", "billing/pool.py", 14), *_library("acquire", 387)]
    w.node("task:S", "charge-9", BILLING, wait=("semaphore.acquire", 12, "billing/pool.py:14"), stack=wait_stack)
    w.edge("needs", "task:S", "semaphore:POOL")
    links: list[tuple[str, str, str | None, str, str | None]] = []
    for i in range(3):
        stack = [("charge", "billing/pool.py", 16), ("call_bank", "billing/bank.py", 51)]
        holder = w.node(
            f"task:H{i}", f"charge-{i}", BILLING, wait=("io.read", 14 - i, "billing/bank.py:51"), stack=stack
        )
        w.edge("held_by", "semaphore:POOL", holder)
        links.append(("task:S", "semaphore:POOL", holder, "billing/pool.py:14", "billing/pool.py:14"))
    title = "charge-9 waits for Semaphore pool, all 3 permits are held by charge-0, charge-1 and charge-2"
    w.finding(3, "semaphore_starved", "SLOW", title, 12, links, [], [], "")


def _healthy(w: World) -> None:
    w.process(ORDERS, "orders", 4711)
    w.node("lock:DB", "db", source="orders/locks.py:8")
    w.node("task:MAIN", "main", wait=("event.wait", 61, "app.py:58"), stack=[("main", "app.py", 58)])
    for i in range(11):
        stack = [("worker", "app.py", 20)]
        w.node(f"task:{i}", f"worker-{i}", wait=("sleep", 0.3, "app.py:20") if i < 8 else None, stack=stack)
        w.edge("spawned", "task:MAIN", f"task:{i}")
    w.edge("held_by", "lock:DB", "task:9")


def _hostile(w: World) -> None:
    _deadlock(w, " ".join(HOSTILE[:4]), " ".join(HOSTILE[4:]))
    for i, name in enumerate(HOSTILE):
        w.nodes[f"task:W{i:02}"]["name"] = name
    w.nodes["lock:DB"]["name"] = HOSTILE[6]
    w.processes[0]["service"] = "<i>svc</i> *x*"
    frames = w.nodes["task:A"]["stack"]
    frames[2]["function"] = "<script>alert(1)</script>"


def _mixed(w: World) -> None:
    _deadlock(w)
    _channel(w)
    _semaphore(w)
    w.process("gateway-9e8d7c", "gateway", 4650, state="silent", silent_s=12)


def _silent(w: World) -> None:
    _healthy(w)
    w.process(BILLING, "billing", 4720, state="silent", silent_s=12)


def _many(w: World) -> None:
    _deadlock(w)
    for i in range(2000):
        w.node(f"task:X{i:04}", f"job-{i:04}", wait=("sleep", i % 7, "jobs.py:11"))
        w.edge("spawned", "task:MAIN", f"task:X{i:04}")


def _none(_: World) -> None:
    """Nobody is connected."""


_MAKERS: dict[str, Callable[[World], None]] = {
    "deadlock": _deadlock,
    "channel_full": _channel,
    "semaphore_starved": _semaphore,
    "healthy": _healthy,
    "none": _none,
    "hostile": _hostile,
    "mixed": _mixed,
    "silent": _silent,
    "many": _many,
}
NAMES = tuple(_MAKERS)


def make(name: str, *, frozen: bool = False) -> World:
    world = World(FROZEN_NOW if frozen else time.time_ns(), ticking=not frozen)
    _MAKERS[name](world)
    return world
