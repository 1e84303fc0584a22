# SPDX-License-Identifier: Apache-2.0
"""The thread between the network and the graph: takes bytes off the queue, decodes, applies, answers.

A sender gets its answer after its records were decoded and applied to the live graph, so that `partial_success` can
say what was rejected; it does not wait for the database.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
from dataclasses import dataclass
from typing import cast

from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from peeps_otel.model.wire import WireError

from .asking import Asking
from .decode.logs import (
    DecodedLogs,
    FindingRecord,
    GoneRecord,
    LeaksRecord,
    NodeRecord,
    Record,
    SnapshotBody,
    decode_logs,
)
from .decode.metrics import decode_metrics
from .decode.resource import ProcessInfo
from .decode.silence import SilenceRecord
from .decode.traces import decode_traces
from .diagnose import Diagnosis
from .graph.findings import FindingBook
from .graph.live import LiveGraph
from .receive.encoding import Undecodable, decode_request
from .receive.queue import ByteQueue, Encoding, Outcome, Request, Signal
from .store.buffer import RowBuffer
from .store.schema import LOG, METRIC, SPAN

_MESSAGE_BYTES = 4000
_PREVIEW_BYTES = 120
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Counts:
    """What was taken in since the start. Written by the decoding thread only."""

    snapshots: int = 0
    nodes: int = 0
    findings: int = 0
    spans: int = 0
    logs: int = 0
    metrics: int = 0
    rejected: int = 0


class Pipeline:
    """`submit` on the event loop, everything else on a thread of its own."""

    def __init__(
        self,
        queue: ByteQueue,
        live: LiveGraph,
        book: FindingBook,
        diagnosis: Diagnosis,
        rows: RowBuffer,
        trace: bool = False,
        asking: Asking | None = None,
    ) -> None:
        self._queue = queue
        self._live = live
        self._book = book
        self._diagnosis = diagnosis
        self._rows = rows
        self._trace = trace
        self._asking = asking or Asking()
        self.counts = Counts()
        self._thread = threading.Thread(target=self._run, name="peeps-decode", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Decodes what is queued, then ends."""
        self._queue.close()
        self._thread.join(30)

    def submit(self, signal: Signal, encoding: Encoding, body: bytes) -> asyncio.Future[Outcome] | None:
        """The answer to come, or None where the queue is full."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Outcome] = loop.create_future()

        def settle(outcome: Outcome) -> None:
            if not future.done():  # the sender may have gone
                future.set_result(outcome)

        def answer(outcome: Outcome) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(settle, outcome)

        return future if self._queue.put(Request(signal, encoding, body, answer)) else None

    def handle(self, signal: Signal, encoding: Encoding, body: bytes) -> Outcome:
        """Decodes and applies one request. Never raises."""
        if self._trace:
            preview = body[:_PREVIEW_BYTES]
            print(f"received {signal.value} {encoding.name.lower()} {len(body)} bytes {preview!r}", file=sys.stderr)
        try:
            return self._apply(signal, decode_request(signal, encoding, body))
        except Undecodable as error:
            self.counts.rejected += 1
            return Outcome(undecodable=True, message=str(error)[:_MESSAGE_BYTES])
        except Exception as error:  # one request must not stop the collector
            _log.exception("a request could not be handled")
            self.counts.rejected += 1
            return Outcome(
                undecodable=True, message=f"the collector failed on this request: {error!r}"[:_MESSAGE_BYTES]
            )

    def _run(self) -> None:
        while (request := self._queue.get()) is not None:
            request.answer(self.handle(request.signal, request.encoding, request.body))

    def _apply(self, signal: Signal, message: Message) -> Outcome:
        now_ns = time.time_ns()
        if signal is Signal.LOGS:
            return self._apply_logs(decode_logs(cast("ExportLogsServiceRequest", message), now_ns), now_ns)
        if signal is Signal.TRACES:
            for process, rows in decode_traces(cast("ExportTraceServiceRequest", message), now_ns):
                self._live.seen(process, now_ns)
                self._rows.add(SPAN.name, rows)
                self.counts.spans += len(rows)
        else:
            for process, rows in decode_metrics(cast("ExportMetricsServiceRequest", message), now_ns):
                self._live.seen(process, now_ns)
                self._rows.add(METRIC.name, rows)
                self.counts.metrics += len(rows)
        return Outcome()

    def _apply_logs(self, blocks: list[DecodedLogs], now_ns: int) -> Outcome:
        reasons: list[str] = []
        for block in blocks:
            self._live.seen(block.process, now_ns)
            reasons += block.rejected
            for record in block.records:
                try:
                    self._apply_record(block.process, record, now_ns)
                except WireError as error:
                    reasons.append(f"process {block.process}: {error}")
                except Exception as error:  # a record no test thought of: reject it, keep the others
                    _log.exception("a record could not be applied")
                    reasons.append(f"process {block.process}: {type(error).__name__}: {error}")
            self._rows.add(LOG.name, block.rows)
            self.counts.logs += len(block.rows)
        self._diagnosis.wake()
        self.counts.rejected += len(reasons)
        watched = [block.process.id for block in blocks if any(isinstance(r, SnapshotBody) for r in block.records)]
        return Outcome(len(reasons), shortened(reasons), ask=self._asking.header_for(watched))

    def _apply_record(self, process: ProcessInfo, record: Record, now_ns: int) -> None:
        if isinstance(record, SnapshotBody):
            self._live.apply_snapshot(process, record.body, now_ns)
            self.counts.snapshots += 1
        elif isinstance(record, NodeRecord):
            self._live.apply_node(process, record, now_ns)
            self.counts.nodes += 1
        elif isinstance(record, GoneRecord):
            self._live.apply_gone(process, record, now_ns)
        elif isinstance(record, SilenceRecord):
            self._diagnosis.silence.reported(process, record, now_ns)
        elif isinstance(record, LeaksRecord):
            self._asking.answered(process.id, record.request, record.answer)
        else:
            assert isinstance(record, FindingRecord)
            self._book.reported(process.id, record, now_ns)
            self.counts.findings += 1


def shortened(reasons: list[str]) -> str:
    """The reasons in one message under 4 KiB, each once, with how many are left out."""
    lines = list(dict.fromkeys(reason.encode()[:1000].decode(errors="ignore") for reason in reasons))
    message = ""
    for number, line in enumerate(lines):
        if len((message + line).encode()) > _MESSAGE_BYTES - 60:
            return f"{message}… and {len(lines) - number} more reasons"
        message += line + "\n"
    return message.rstrip("\n")
