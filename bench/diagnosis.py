# SPDX-License-Identifier: Apache-2.0
"""What a diagnosis costs, from a thousand nodes to a million.

The graph has 2.4 edges a node. `program` looks like one: tasks that wait for locks, for children and for queues, all
of them alive, beside two tasks in a deadlock. `random` is the worst case for a reduction: nearly every node waits for k
of n others anywhere in the graph, with k and n so that life spreads slowly, in some two hundred rounds.

Columns, in milliseconds of processor time of the thread, the least of the rounds:

* `look`: a whole look of the engine, from nodes and edges to findings, as a program does it for itself, without NumPy;
* `kept`: the same as the collector does it: 1 % of the nodes have changed since the look before, the rest stands;
* `reduction`: the part of `look` that decides what can still run;
* `arrays`: the same from the arrays that the collector keeps, everything computed again: on `random` only the
  reduction on arrays, which it does from the same dictionaries there;
* `SCC`: the strongly connected components of what is left, as we do it; SciPy and rustworkx over the whole graph, with
  the graph already in their form, where they are installed. They find components, and no deadlocks: on `random` nearly
  the whole graph is one component, of which the reduction leaves a few nodes or none.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import importlib.util
import random
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from peeps_collector.diagnose import IncrementalDiagnoser
from peeps_collector.graph.incremental import Delta, Entry, IncrementalGraph
from peeps_collector.graph.reduction import residue_of_many
from peeps_otel.diagnosis import Diagnoser
from peeps_otel.diagnosis.reduction import Requirement, cores, residue
from peeps_otel.model import Edge, EdgeKind, Graph, Level, Node, NodeKind, Providers, Wait

SECOND = 1_000_000_000
START = 1_000 * SECOND


def milliseconds(what: Callable[[], object], rounds: int) -> float:
    """The least processor time of one call: what other programs do to the caches only adds to it."""
    taken: list[float] = []
    for _ in range(rounds):
        gc.collect()
        began = time.thread_time()
        what()
        taken.append((time.thread_time() - began) * 1000)
    return min(taken)


def at_random(size: int) -> dict[str, Requirement]:
    """Conditions over `size` nodes: 97 % wait, for 1 to 4 others, some for all of them and some for one."""
    chance = random.Random(size)
    names = [f"task:{number:026d}" for number in range(size)]
    found: dict[str, Requirement] = {}
    for name in names:
        if chance.random() < 0.97:
            count = chance.randint(1, 4)
            found[name] = Requirement(chance.randint(1, count), [chance.choice(names) for _ in range(count)])
    return found


def program(size: int) -> Graph:
    """A program of `size` nodes with two tasks in a deadlock."""
    chance = random.Random(size)
    nodes: dict[str, Node] = {}
    edges: list[Edge] = []

    def add(kind: NodeKind, number: int, providers: Providers | None = None, wait: Wait | None = None) -> str:
        node_id = f"{kind}:{number:026d}"
        nodes[node_id] = Node(node_id, kind, f"{kind}-{number}", START, "app.py:1", providers=providers, wait=wait)
        return node_id

    tasks = [f"{NodeKind.TASK}:{number:026d}" for number in range(size * 7 // 10)]
    locks = [add(NodeKind.LOCK, number, Providers.CLOSED) for number in range(size * 2 // 10)]
    queues = [add(NodeKind.RX, number, Providers.OPEN) for number in range(size - len(tasks) - len(locks))]
    for number in range(len(tasks)):
        kind = chance.random() if number < len(tasks) * 9 // 10 else 1.0  # the last run, and hold the locks
        targets: list[str] = []
        if kind < 0.3:
            targets = [chance.choice(locks)]
        elif kind < 0.5:
            targets = chance.sample(tasks[number + 1 :], min(3, len(tasks) - number - 1))  # its children
        elif kind < 0.8:
            targets = [chance.choice(queues)]
        wait = Wait("wait", START, f"app.py:{number % 50}", len(targets)) if targets else None
        add(NodeKind.TASK, number, wait=wait)
        edges += [Edge(EdgeKind.NEEDS, tasks[number], target, START) for target in targets]
    for number, lock in enumerate(locks):
        edges.append(Edge(EdgeKind.HELD_BY, lock, tasks[-1 - number % (len(tasks) // 10)], START))
    while len(edges) < size * 24 // 10 - 4:
        edges.append(Edge(EdgeKind.TOUCHES, chance.choice(tasks), chance.choice(queues)))
    for one, other in ((0, 1), (1, 0)):
        lock = add(NodeKind.LOCK, size + one, Providers.CLOSED)
        add(NodeKind.TASK, size + one, wait=Wait("lock.acquire", START, "app.py:7"))
        edges.append(Edge(EdgeKind.HELD_BY, lock, f"{NodeKind.TASK}:{size + one:026d}", START))
        edges.append(Edge(EdgeKind.NEEDS, f"{NodeKind.TASK}:{size + one:026d}", f"lock:{size + other:026d}", START))
    return Graph(nodes, edges)


def look_ms(graph: Graph, rounds: int) -> float:
    """Looks that are not the first: with memory, and with a finding that stays."""
    diagnoser = Diagnoser()
    diagnoser.look(graph, START + SECOND)
    now_ns = START + SECOND

    def look() -> None:
        nonlocal now_ns
        now_ns += 1_000_000
        levels = [finding.level for finding in diagnoser.look(graph, now_ns)]
        assert levels.count(Level.PROVEN) == 1, levels

    return milliseconds(look, rounds)


def kept_ms(graph: Graph, rounds: int) -> tuple[float, float]:
    """A look of the collector with 1 % of the nodes changed, and the reduction on its arrays, whatever changed."""
    out: dict[str, list[Edge]] = {}
    for edge in graph.edges:
        out.setdefault(edge.src, []).append(edge)
    entries: dict[str, Entry | None] = {n: (node, tuple(out.get(n, ()))) for n, node in graph.nodes.items()}
    standing, engine, now_ns = IncrementalGraph(), IncrementalDiagnoser(), START + SECOND
    standing.apply({"process": Delta(True, entries)})
    for _ in range(2):
        now_ns += SECOND
        engine.look(standing, now_ns)
    waiting = [node for node in list(graph.nodes.values())[:-4] if node.wait is not None]
    things = [node.id for node in graph.nodes.values() if node.kind is NodeKind.RX]
    chance = random.Random(1)
    looks: list[float] = []
    reductions: list[float] = []
    for _ in range(rounds):
        now_ns += SECOND
        changed: dict[str, Entry | None] = {}
        for node in chance.sample(waiting, len(graph.nodes) // 100):
            wait = Wait("wait", now_ns, "app.py:1", len(out[node.id]))
            edges = tuple(replace(edge, dst=chance.choice(things)) for edge in out[node.id])
            changed[node.id] = replace(node, steps=now_ns, wait=wait), edges
        gc.collect()
        began = time.thread_time()
        standing.apply({"process": Delta(False, changed)})
        levels = [finding.level for finding in engine.look(standing, now_ns)]
        looks.append((time.thread_time() - began) * 1000)
        assert levels.count(Level.PROVEN) == 1, levels
        gc.collect()
        began = time.thread_time()
        standing.waits.reduce(now_ns, 2 * SECOND)
        reductions.append((time.thread_time() - began) * 1000)
    return min(looks), min(reductions)


def others_ms(conditions: dict[str, Requirement], rounds: int) -> list[str]:
    """SciPy and rustworkx on the whole graph; `-` where they are not installed."""
    index = {name: number for number, name in enumerate(conditions)}
    pairs = [(index[n], index[p]) for n, c in conditions.items() for p in c.providers if p in index]
    columns: list[str] = []
    if importlib.util.find_spec("scipy") is None:
        columns.append("-")
    else:
        sparse: Any = importlib.import_module("scipy.sparse")
        csgraph: Any = importlib.import_module("scipy.sparse.csgraph")
        rows, columns_of = zip(*pairs, strict=True)
        matrix = sparse.csr_matrix(([True] * len(pairs), (rows, columns_of)), shape=(len(index), len(index)))
        took = milliseconds(lambda: csgraph.connected_components(matrix, connection="strong"), rounds)
        columns.append(f"{took:.1f}")
    if importlib.util.find_spec("rustworkx") is None:
        columns.append("-")
    else:
        rustworkx: Any = importlib.import_module("rustworkx")
        directed = rustworkx.PyDiGraph()
        directed.add_nodes_from(range(len(index)))
        directed.add_edges_from_no_data(pairs)
        columns.append(f"{milliseconds(lambda: rustworkx.strongly_connected_components(directed), rounds):.1f}")
    return columns


def row(name: str, size: int, conditions: dict[str, Requirement], graph: Graph | None, rounds: int) -> str:
    left = residue(conditions)
    assert residue_of_many(conditions) == left
    kept = None if graph is None else kept_ms(graph, rounds)
    on_arrays = milliseconds(lambda: residue_of_many(conditions), rounds) if kept is None else kept[1]
    cells = [
        name,
        f"{size:,}",
        f"{sum(len(c.providers) for c in conditions.values()) if graph is None else len(graph.edges):,}",
        "-" if graph is None else f"{look_ms(graph, rounds):.1f}",
        "-" if kept is None else f"{kept[0]:.1f}",
        f"{milliseconds(lambda: residue(conditions), rounds):.1f}",
        f"{on_arrays:.1f}",
        f"{len(left):,}",
        f"{milliseconds(lambda: cores(left, conditions), rounds):.1f}",
        *others_ms(conditions, rounds),
    ]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print(f"CPython {sys.version.split()[0]}, processor time of the thread, least of {options.rounds}\n")
    heads = ["graph", "nodes", "edges", "look", "kept", "reduction", "arrays", "left", "SCC ours", "SciPy", "rustworkx"]
    print(f"| {' | '.join(heads)} |\n|---|{'---:|' * (len(heads) - 1)}")
    for size in options.sizes:
        graph = program(size)
        print(row("program", size, conditions_of(graph), graph, options.rounds), flush=True)
        print(row("random", size, at_random(size), None, options.rounds), flush=True)


def conditions_of(graph: Graph) -> dict[str, Requirement]:
    """As the engine makes them for its least sure level."""
    from peeps_otel.diagnosis.wait_graph import WaitGraph

    settled = {node.id for node in graph.nodes.values() if node.wait is not None}
    return WaitGraph(graph, settled).conditions(Level.SUSPECT, START + SECOND, 2 * SECOND)


if __name__ == "__main__":
    main()
