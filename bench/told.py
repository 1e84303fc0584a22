# SPDX-License-Identifier: Apache-2.0
"""How long after the snapshot that shows it a deadlock is told: `python -m bench.told [ROUNDS] [--programs 100]`.

So many programs of 1,000 nodes send once a second, of which 1 % changes. Meanwhile one more gets stuck, again and
again: a snapshot with a ring, and the next one in which nobody has moved, which is the one that shows it. From when
that is sent until the query API answers with the finding, asked for every 50 ms. Prints how long it took.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import statistics
import threading
import time

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from peeps_otel import semconv
from peeps_otel.model import Edge, EdgeKind, Node, NodeKind, Providers, Snapshot, Wait
from peeps_otel.model.ulid import UlidSource
from peeps_otel.model.wire import Encoder

from .cuts import ask
from .ingest import Programs, running

_PATIENCE_S = 120.0
_POLL_S = 0.05
_SECOND_NS = 1_000_000_000


class Stuck:
    """A program of two tasks; each has the lock for which the other one waits."""

    def __init__(self, number: int) -> None:
        self.instance = f"stuck-{number}"
        self._encoder, self._sequence = Encoder(), 0
        self._edges: list[Edge] = []
        new, now = UlidSource(), time.time_ns()
        tasks = [f"task:{new.text(now)}" for _ in range(2)]
        locks = [f"lock:{new.text(now)}" for _ in range(2)]
        wait = Wait("lock.acquire", now, "/app/m.py:9")
        self._nodes = [Node(one, NodeKind.TASK, "worker", now, "/app/m.py:3", wait=wait) for one in tasks]
        self._nodes += [
            Node(one, NodeKind.LOCK, f"Lock {place}", now, "/app/m.py:1", providers=Providers.CLOSED)
            for place, one in enumerate(locks)
        ]
        for task, has, wants in zip(tasks, locks, reversed(locks), strict=True):
            self._edges += [
                Edge(EdgeKind.HELD_BY, has, task, now, "/app/m.py:8"),
                Edge(EdgeKind.NEEDS, task, wants, now),
            ]

    def body(self) -> bytes:
        """All of it, as it has been from the beginning."""
        self._sequence += 1
        now = time.time_ns()
        snapshot = Snapshot(7, self._sequence, now, True, self._nodes, self._edges, interval_ns=_SECOND_NS, secret=3)
        request = ExportLogsServiceRequest()
        block = request.resource_logs.add()
        for name, value in ((semconv.SERVICE_NAME, "shop"), (semconv.SERVICE_INSTANCE_ID, self.instance)):
            block.resource.attributes.add(key=name).value.string_value = value
        record = block.scope_logs.add().log_records.add(time_unix_nano=now, event_name=semconv.EVENT_SNAPSHOT)
        record.body.bytes_value = self._encoder.encode(snapshot)
        return request.SerializeToString()


def _told_after(otlp: str, api: str, number: int) -> float:
    host, _, port = otlp.partition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=60)
    stuck, sent, shown_s, due_s = Stuck(number), 0, 0.0, time.monotonic()
    while not shown_s or time.monotonic() - shown_s < _PATIENCE_S:
        if time.monotonic() >= due_s:  # it goes on to send, as programs do
            sent, due_s = sent + 1, due_s + 1
            shown_s = time.monotonic() if sent == 2 else shown_s
            connection.request("POST", "/v1/logs", stuck.body(), {"content-type": "application/x-protobuf"})
            response = connection.getresponse()
            response.read()
            assert response.status == 200, response.status
        found = ask(api, f"/api/findings?process={stuck.instance}")["findings"]
        if any(one["kind"] == "deadlock" for one in found):
            return time.monotonic() - shown_s
        time.sleep(_POLL_S)
    return _PATIENCE_S


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rounds", type=int, nargs="?", default=10)
    parser.add_argument("--programs", type=int, default=100)
    options = parser.parse_args()
    others = Programs(options.programs, 1_000, 0.01, 1)

    def send(otlp: str) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):  # the collector ends first
            others(otlp, 600)

    with running() as collector:
        sending = threading.Thread(target=send, args=(collector.otlp,), daemon=True)
        sending.start()
        time.sleep(5)
        _told_after(collector.otlp, collector.api, -1)  # the first look at so many new nodes is another matter
        took = sorted(_told_after(collector.otlp, collector.api, number) for number in range(options.rounds))
        print(
            f"{options.programs} other programs, {len(took)} deadlocks: median {statistics.median(took):.2f} s, "
            f"most {took[-1]:.2f} s after the snapshot that shows it"
        )


if __name__ == "__main__":
    main()
