# SPDX-License-Identifier: Apache-2.0
"""What watching so many programs takes of the head of a lake: `python -m bench.lake_head [--programs 100 1000 10000]`.

Each program has `--nodes` nodes, half of them tasks that wait, and says once a second what has changed: one task in
`--changing` programs of all, nothing in the others. The requests are those that a collector passes on; they are
decoded, applied and judged by the head's own code, in this process, without the network. The clock is processor time.
Prints one line a row.
"""

from __future__ import annotations

import argparse
import random
import resource
import time
from dataclasses import dataclass, field

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from peeps_collector.decode.logs import SnapshotBody, decode_logs
from peeps_collector.diagnose import Diagnosis, IncrementalDiagnoser
from peeps_collector.graph.findings import FindingRegistry
from peeps_collector.graph.live import LiveGraph
from peeps_collector.lake.head_rows import HeadRows
from peeps_otel import semconv
from peeps_otel.model import Edge, EdgeKind, Node, NodeKind, Providers, Snapshot, Wait
from peeps_otel.model.ulid import UlidSource, ulid_text
from peeps_otel.model.wire import Encoder

_ULIDS = UlidSource()
_ROUNDS = 5


@dataclass
class Watched:
    """One program: pairs of a task and the lock that it waits for."""

    number: int
    pairs: int
    encoder: Encoder = field(default_factory=Encoder)
    sequence: int = 0
    nodes: list[Node] = field(default_factory=list[Node])
    edges: list[Edge] = field(default_factory=list[Edge])

    def whole(self) -> bytes:
        born = time.time_ns() - 60_000_000_000
        for _ in range(self.pairs):
            lock = Node(_id(NodeKind.LOCK), NodeKind.LOCK, "books", born, "app.py:9", providers=Providers.OPEN)
            self.nodes += [self._task(_id(NodeKind.TASK), born, born), lock]
            self.edges.append(Edge(EdgeKind.NEEDS, self.nodes[-2].id, lock.id, born, "app.py:31"))
        return self._request(self.nodes, self.edges, key_frame=True)

    def change(self) -> bytes:
        """One task has begun to wait anew."""
        place = random.randrange(self.pairs) * 2
        task = self._task(self.nodes[place].id, self.nodes[place].created_at, time.time_ns())
        edge = Edge(EdgeKind.NEEDS, task.id, self.nodes[place + 1].id, time.time_ns(), "app.py:31")
        return self._request([task], [edge], key_frame=False)

    def nothing(self) -> bytes:
        return self._request([], [], key_frame=False)

    def _task(self, node: str, born: int, since: int) -> Node:
        wait = Wait("lock.acquire", since, "app.py:31", exact=True)
        return Node(node, NodeKind.TASK, "worker", born, "app.py:80", state="waiting", wait=wait, steps=self.sequence)

    def _request(self, nodes: list[Node], edges: list[Edge], *, key_frame: bool) -> bytes:
        self.sequence += 1
        snapshot = Snapshot(7, self.sequence, time.time_ns(), key_frame, nodes=nodes, edges=edges, cpu_ns=1)
        snapshot.interval_ns = 1_000_000_000
        request = ExportLogsServiceRequest()
        block = request.resource_logs.add()
        for key, text in ((semconv.SERVICE_NAME, "shop"), (semconv.SERVICE_INSTANCE_ID, f"shop-{self.number}")):
            block.resource.attributes.add(key=key).value.string_value = text
        record = block.scope_logs.add().log_records.add(event_name=semconv.EVENT_SNAPSHOT)
        record.time_unix_nano = snapshot.time_ns
        record.body.bytes_value = self.encoder.encode(snapshot)
        return request.SerializeToString()


def _id(kind: NodeKind) -> str:
    return f"{kind}:{ulid_text(_ULIDS.new())}"


def measure(programs: int, nodes: int, changing: float) -> str:
    rows = HeadRows(1 << 60)
    live = LiveGraph(rows)
    findings = FindingRegistry(live, rows, [])
    diagnosis = Diagnosis(live, findings, IncrementalDiagnoser())
    watched = [Watched(number, nodes // 2) for number in range(programs)]
    whole = [one.whole() for one in watched]
    begun = time.process_time()
    _take(live, whole)
    first_s = time.process_time() - begun
    diagnosis.step()
    taken, looked = 0.0, 0.0
    for _ in range(_ROUNDS):
        bodies = [one.change() if random.random() < changing else one.nothing() for one in watched]
        before = time.process_time()
        _take(live, bodies)
        between = time.process_time()
        diagnosis.step()
        taken, looked = taken + between - before, looked + time.process_time() - between
    taken, looked = taken / _ROUNDS, looked / _ROUNDS
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return (
        f"{programs} programs of {nodes} nodes: a second of them {taken * 1000:.0f} ms "
        f"({taken / programs * 1e6:.0f} us a snapshot), a look {looked * 1000:.0f} ms; "
        f"all anew {first_s:.1f} s; at most {memory:.0f} MB in this process"
    )


def _take(live: LiveGraph, bodies: list[bytes]) -> None:
    for body in bodies:
        now_ns = time.time_ns()
        for block in decode_logs(ExportLogsServiceRequest.FromString(body), now_ns):
            for record in block.records:
                assert isinstance(record, SnapshotBody)
                for _ in live.snapshot_steps(block.process, record.body, now_ns):
                    pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--nodes", type=int, default=20)
    parser.add_argument("--changing", type=float, default=0.1)
    options = parser.parse_args()
    for count in options.programs:
        print(measure(count, options.nodes, options.changing), flush=True)


if __name__ == "__main__":
    main()
