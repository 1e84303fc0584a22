# SPDX-License-Identifier: Apache-2.0
"""The thread between the network and the graph: decodes what is durable, applies it, answers.

A sender gets its answer after its request is in the journal and its records were decoded and applied to the live graph,
so that `partial_success` can say what was rejected; it does not wait for the database. Requests are worked off in
slices, the senders in turn.

From an OTLP request to a row: `receive/http_server.py` or `receive/grpc_server.py` takes it, `receive/durable.py` keeps
it in `receive/journal.py`, `receive/turns.py` says whose turn it is, `receive/encoding.py` reads it; here
`decode/logs.py`, `traces.py` and `metrics.py` make records and rows of it, `graph/live.py` applies the records and
`graph/changes.py` writes down what that changed; `store/buffer.py` keeps the rows until `store/writer.py` writes them.
"""

from __future__ import annotations

import asyncio
import logging
import math
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import cast

from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from peeps_otel.model.wire_decoder import WireError

from .calls_told import CallsTold
from .client_errors import ClientErrors, preview
from .decode.canonical import Rejected
from .decode.compiled import SpanDecoder
from .decode.in_flight import CallRecord
from .decode.logs import (
    AnswerRecord,
    DecodedLogs,
    FindingRecord,
    GoneRecord,
    NodeRecord,
    Record,
    SnapshotBody,
    SourceTextRecord,
    decode_logs,
)
from .decode.metrics import decode_metrics
from .decode.redaction import Redaction
from .decode.resource import ProcessInfo
from .decode.rows import Decoded
from .decode.silence import SilenceRecord
from .decode.slices import slices, sole_head, sole_slice
from .decode.traces import decode_traces
from .diagnose import Diagnosis
from .graph.findings import FindingRegistry
from .graph.live import LiveGraph
from .quotas import Account, Quotas, Refusal
from .receive.durable import Durable
from .receive.encoding import Undecodable, decode_request
from .receive.journal import Entry
from .receive.request import Budget, Encoding, Outcome, Request, Signal
from .receive.turns import Turns
from .requests_out import ProcessRequests
from .store.buffer import RowBuffer
from .store.schema import LOG, METRIC, RESOURCE, SPAN
from .store.table_rows import Rows, TableRows, add_rows

_MESSAGE_BYTES = 4000
_PREVIEW_BYTES = 120
_TURN_SECONDS = 0.005
_FEW_BYTES = 4 << 10
_RESOURCES_KNOWN = 10_000
_OUR_EVENTS = b"peeps."
Steps = Generator[None, None, Outcome]
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


@dataclass(slots=True)
class _Found:
    """What one request has yielded so far. `clean`: its parts, in protobuf, where something had to be taken out.
    `refusal`: why some of it was not taken, for its process is over its quota; `taken`: whether any of it was."""

    rows: Rows = field(default_factory=dict[str, TableRows])
    reasons: list[str] = field(default_factory=list[str])
    watched: set[str] = field(default_factory=set[str])
    clean: list[bytes] = field(default_factory=list[bytes])
    refusal: Refusal | None = None
    taken: bool = False


class Pipeline:
    """`submit` on the event loop; decoding on a thread of its own, see `start`. `ready`: why no request can be taken
    now, in words for the sender; empty where one can."""

    def __init__(
        self,
        budget: Budget,
        live: LiveGraph,
        findings: FindingRegistry,
        diagnosis: Diagnosis,
        rows: RowBuffer,
        durable: Durable | None = None,
        turns: Turns | None = None,
        trace: bool = False,
        requests: ProcessRequests | None = None,
        unready: Callable[[], str] = lambda: "",
        span_columns: Callable[[], SpanDecoder | None] = lambda: None,
        redaction: Redaction | None = None,
        forward: Callable[[Signal, Encoding, bytes], None] = lambda _signal, _encoding, _body: None,
        quotas: Quotas | None = None,
    ) -> None:
        self.budget = budget
        self._live = live
        self._findings = findings
        self._diagnosis = diagnosis
        self._rows = rows
        self._durable = durable
        self._turns = turns or Turns()
        self._trace = trace
        self._requests = requests or ProcessRequests()
        self._unready = unready
        self._redaction = redaction or Redaction()
        # What is decoded to columns is never a message in which something could be taken out.
        self._span_columns = span_columns if not self._redaction else lambda: None
        self._forward = forward
        self._quotas = quotas or Quotas()
        self.calls = CallsTold(live, self.put_in)
        self.client_errors = ClientErrors(previews=not self._redaction)
        self._work: dict[int, Steps] = {}
        self._resources: set[str] = set()
        self.counts = Counts()
        self.refused = 0
        """Requests that were told to come again."""
        self._thread = threading.Thread(target=self._run, name="peeps-decode", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, seconds: float = 30.0) -> None:
        """Decodes what is durable, then ends; what it has no time for stays in the journal."""
        self._turns.close()
        self._thread.join(seconds)
        self._turns.abandon()
        self._thread.join(1)

    def submit(self, signal: Signal, encoding: Encoding, body: bytes, sender: str = "") -> asyncio.Future[Outcome]:
        """The answer to come. The bytes of `body` are of the budget; they are given back with the answer."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Outcome] = loop.create_future()

        def settle(outcome: Outcome) -> None:
            if not future.done():  # the sender may have gone
                future.set_result(outcome)

        def answer(outcome: Outcome) -> None:
            self.refused += outcome.retry
            if not loop.is_closed():
                loop.call_soon_threadsafe(settle, outcome)

        if self._trace:
            preview = body[:_PREVIEW_BYTES]
            print(f"received {signal.value} {encoding.name.lower()} {len(body)} bytes {preview!r}", file=sys.stderr)
        reason = self._unready()
        request = Request(signal, encoding, body, answer, sender, time.time_ns())
        closed = None if reason else self._closed(signal, encoding, body)
        if closed is not None:
            self.budget.give(len(body))
            answer(_come_later(closed, closed.reason))
        elif not reason and self._durable is None:
            self._turns.put(request)
        elif reason or self._durable is None or not self._durable.offer(request):
            self.budget.give(len(body))
            answer(Outcome(retry=True, message=reason or "the collector is being stopped; retry later"))
        return future

    def put_in(self, body: bytes) -> bool:
        """Takes log records of our own, as if they had been sent. From any thread, and does not wait; False where there
        is no room, or it has been stopped."""
        if self._unready() or not self.budget.take(len(body)):
            return False
        request = Request(Signal.LOGS, Encoding.PROTOBUF, body, lambda _outcome: None, received_ns=time.time_ns())
        if self._durable is None:
            self._turns.put(request)
        elif not self._durable.offer(request):
            self.budget.give(len(body))
            return False
        return True

    def replay(self, entry: Entry) -> Outcome:
        """Applies what an earlier run has acknowledged and not stored. Before `start`."""
        steps = self.steps(entry, "the journal")
        while True:
            try:
                next(steps)
            except StopIteration as done:
                return done.value

    def handle(self, signal: Signal, encoding: Encoding, body: bytes) -> Outcome:
        """Decodes and applies one request at once. Never raises."""
        return self.replay(Entry(0, time.time_ns(), signal, encoding, body))

    def steps(self, entry: Entry, sender: str = "") -> Steps:
        """Decodes and applies one request, a slice at a time. Never raises."""
        signal, encoding, body, now_ns = entry.signal, entry.encoding, entry.body, entry.received_ns
        found = _Found()
        try:
            if not (yield from self._by_columns(signal, encoding, body, found, now_ns)):
                yield from self._by_objects(signal, encoding, body, found, now_ns)
        except Undecodable as error:
            shown = "" if self._redaction else f"; it begins with {preview(body)!r}"
            what = f"could not be decoded: {error}{shown}"
            outcome = Outcome(undecodable=True, message=what[:_MESSAGE_BYTES])
        except Exception as error:  # one request must not stop the collector
            _log.exception("a request could not be handled")
            message = f"the collector failed on this request: {error!r}"[:_MESSAGE_BYTES]
            outcome = Outcome(undecodable=True, message=message)
        else:
            outcome = self._outcome(signal, encoding, body, found)
        self.counts.rejected += 1 if outcome.undecodable else outcome.rejected
        if outcome.undecodable:
            found.rows = {}
        if outcome.message:
            stage = "decode" if outcome.undecodable else "apply"
            said = self.client_errors.note(stage, sender, signal, encoding, body, outcome.message, now_ns)
            add_rows(found.rows, LOG.name, said)
        self._rows.add_request(found.rows, entry.number)
        if signal is Signal.LOGS:
            self._diagnosis.wake()
        return outcome

    def _outcome(self, signal: Signal, encoding: Encoding, body: bytes, found: _Found) -> Outcome:
        """Of what could be decoded. Nothing of it was taken: its sender may come again."""
        message = shortened(found.reasons)
        if found.refusal is not None and not found.taken:
            if encoding is Encoding.PROTOBUF and (head := sole_head(body)):
                self._quotas.close(head, found.refusal)
            found.rows = {}
            return _come_later(found.refusal, message or found.refusal.reason)
        self._send_on(signal, encoding, body, found.clean)
        ask = self._requests.header_for(found.watched) if found.watched else ""
        return Outcome(len(found.reasons), message, ask=ask)

    def _closed(self, signal: Signal, encoding: Encoding, body: bytes) -> Refusal | None:
        """Why this need not be decoded to be refused. What is of a graph is looked at in any case."""
        if encoding is not Encoding.PROTOBUF or (signal is Signal.LOGS and _OUR_EVENTS in body):
            return None
        return self._quotas.closed(lambda: sole_head(body))

    def _send_on(self, signal: Signal, encoding: Encoding, body: bytes, clean: list[bytes]) -> None:
        if not self._redaction:
            self._forward(signal, encoding, body)
        for part in clean:
            self._forward(signal, Encoding.PROTOBUF, part)

    def _run(self) -> None:
        while (request := self._turns.next()) is not None:
            self.turn(request)

    def turn(self, request: Request) -> None:
        """Works on one request for a while, or until it is done: what the pipeline's thread does again and again."""
        key = id(request)
        steps = self._work.get(key)
        if steps is None:
            received = (request.number, request.received_ns, request.signal, request.encoding, request.body)
            steps = self.steps(Entry(*received), request.sender)
            self._work[key] = steps
        until = time.monotonic() + _TURN_SECONDS
        try:
            for number in count():
                next(steps)
                if number and time.monotonic() > until:
                    return
        except StopIteration as done:
            del self._work[key]
            self._turns.over(request)
            self.budget.give(len(request.body))
            request.answer(done.value)

    def _by_columns(
        self, signal: Signal, encoding: Encoding, body: bytes, found: _Found, now_ns: int
    ) -> Generator[None, None, bool]:
        """Whether the request was one for columns, and is done."""
        if signal is not Signal.TRACES or encoding is not Encoding.PROTOBUF or len(body) < _FEW_BYTES:
            return False
        columns = self._span_columns()
        parts = None if columns is None else (yield from columns.steps(body, now_ns))
        if parts is None:
            return False
        whole = sum(map(len, parts))
        for part in parts:
            if self._note(part, SPAN.name, found, now_ns, len(body) * len(part) // max(whole, 1)):
                self.counts.spans += len(part)
        return True

    def _by_objects(
        self, signal: Signal, encoding: Encoding, body: bytes, found: _Found, now_ns: int
    ) -> Generator[None, None, None]:
        # All of it is looked at before any of it is applied: a request is taken as a whole, or not.
        whole = sole_slice(signal, encoding, body)
        if whole is not None:
            yield from self._apply(signal, whole, len(body), found, now_ns)
            return
        parts: list[bytes] = []
        for part in slices(signal, encoding, body):
            if part is not None:
                parts.append(part)
            yield
        for part in parts:
            message = decode_request(signal, Encoding.PROTOBUF, part)
            yield from self._apply(signal, message, len(part), found, now_ns)

    def _apply(self, signal: Signal, message: Message, size: int, found: _Found, now_ns: int) -> Iterator[None]:
        if self._redaction:
            self._redaction.redact(message)
            found.clean.append(message.SerializeToString())
        if signal is Signal.LOGS:
            for block in decode_logs(cast("ExportLogsServiceRequest", message), now_ns):
                taken = self._note(block, LOG.name, found, now_ns, size)
                yield from self._apply_records(block, found, now_ns)
                self.counts.logs += len(block.rows) if taken else 0
                yield
        elif signal is Signal.TRACES:
            for decoded in decode_traces(cast("ExportTraceServiceRequest", message), now_ns):
                if self._note(decoded, SPAN.name, found, now_ns, size):
                    self.counts.spans += len(decoded.rows)
                yield
        else:
            for decoded in decode_metrics(cast("ExportMetricsServiceRequest", message), now_ns):
                if self._note(decoded, METRIC.name, found, now_ns, size):
                    self.counts.metrics += len(decoded.rows)
                yield

    def _note(self, decoded: Decoded, table: str, found: _Found, now_ns: int, size: int) -> bool:
        """Whether it is taken: its process may be over its quota. `size`: bytes of it."""
        process, records = decoded.process, len(decoded)
        is_new = process.key not in self._resources
        self._live.seen(process, now_ns)
        ours = isinstance(decoded, DecodedLogs) and bool(decoded.records)
        account = Account.EVENTS if ours else Account.TELEMETRY
        # A snapshot is no row here, and has an account of its own.
        rows = records + is_new
        refusal = self._quotas.take(process.id, account, rows, size, records) if rows else None
        found.reasons += decoded.rejected
        if refusal is not None:
            found.refusal = refusal
            found.reasons += [f"process {process}: {refusal.reason}"] * records
            if isinstance(decoded, DecodedLogs):
                decoded.records = [one for one in decoded.records if isinstance(one, SnapshotBody)]
                found.taken |= bool(decoded.records)
            return False
        found.taken = True
        if is_new:
            if len(self._resources) >= _RESOURCES_KNOWN:
                self._resources.clear()
            self._resources.add(process.key)
            add_rows(found.rows, RESOURCE.name, [process.row])
        add_rows(found.rows, table, decoded.rows, decoded.batch)
        return True

    def _apply_records(self, block: DecodedLogs, found: _Found, now_ns: int) -> Iterator[None]:
        for record in block.records:
            try:
                if isinstance(record, SnapshotBody):
                    found.watched.add(block.process.id)
                    self.counts.snapshots += 1
                    reasons = yield from self._live.snapshot_steps(block.process, record.body, now_ns)
                    found.reasons += [f"process {block.process}: {reason}" for reason in reasons]
                else:
                    self._apply_record(block.process, record, now_ns)
            except (WireError, Rejected) as error:
                found.reasons.append(f"process {block.process}: {error}")
            except Exception as error:  # a record no test thought of: reject it, keep the others
                _log.exception("a record could not be applied")
                found.reasons.append(f"process {block.process}: {type(error).__name__}: {error}")

    def _apply_record(self, process: ProcessInfo, record: Record, now_ns: int) -> None:
        if isinstance(record, NodeRecord):
            self._live.apply_node(process, record, now_ns)
            self.counts.nodes += 1
        elif isinstance(record, GoneRecord):
            self._live.apply_gone(process, record, now_ns)
        elif isinstance(record, SilenceRecord):
            self._diagnosis.silence.reported(process, record, now_ns)
        elif isinstance(record, SourceTextRecord):
            self._findings.texts.told(process.id, record, self._live.processes())
        elif isinstance(record, CallRecord):
            self.calls.told(process, record)
        elif isinstance(record, AnswerRecord):
            self._requests.answered(process.id, record.request, record.answer)
        else:
            assert isinstance(record, FindingRecord)
            self._findings.reported(process.id, record, now_ns)
            self.counts.findings += 1


def _come_later(refusal: Refusal, message: str) -> Outcome:
    return Outcome(message=message, retry=True, wait_s=max(math.ceil(refusal.wait_s), 1))


def shortened(reasons: list[str]) -> str:
    """The reasons in one message under 4 KiB, each once, with how many are left out."""
    lines = list(dict.fromkeys(reason.encode()[:1000].decode(errors="ignore") for reason in reasons))
    message = ""
    for number, line in enumerate(lines):
        if len((message + line).encode()) > _MESSAGE_BYTES - 60:
            return f"{message}… and {len(lines) - number} more reasons"
        message += line + "\n"
    return message.rstrip("\n")
