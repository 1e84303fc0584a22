# SPDX-License-Identifier: Apache-2.0
"""The link to our collector: snapshots over OTLP, on a thread of its own.

Ordinary OTLP log records, so whatever speaks OTLP may stand in between. A snapshot that cannot be delivered is dropped
and counted, and the next one that can will be a key frame: the truth is in the live tables, not in the queue.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import native, semconv
from ..model import Snapshot
from ..model.change import Change
from ..own_log import OwnLog
from ..version import __version__
from .early import beginning
from .log_suppression import quiet
from .otel_names import (
    InstrumentationScope,
    LogRecord,
    LogRecordExportResult,
    ReadableLogRecord,
    Resource,
    suppressed,
)
from .otlp import Endpoint
from .request import Request
from .requests_heard import RequestsHeard

if TYPE_CHECKING:
    from ..model.wire import Encoder

CHANGES = (
    Change(
        "a daemon thread `peeps-link`",
        "pushes snapshots to our collector",
        "at the start",
        "ends with the program",
        "`PEEPS_COLLECTOR_ENDPOINT`",
    ),
)

THREAD_NAME = "peeps-link"
_EARLY_S = 0.2
_STEP_S = 0.05
_QUEUE = 4  # snapshots; more would only be older
_ANSWERS = 16
_TIMEOUT_S = 2.0
_RETRY_S = 1.0
_PREVIEW = 200
_TURN_NS = 200_000
_logger = OwnLog()


def _turns() -> Callable[[], None]:
    """Lets other threads run, where they have not just had their turn."""
    last_ns = time.perf_counter_ns()

    def pause() -> None:
        nonlocal last_ns
        if time.perf_counter_ns() - last_ns >= _TURN_NS:
            native.sleep(0)
            last_ns = time.perf_counter_ns()

    return pause


class Outgoing(NamedTuple):
    body: bytes
    time_ns: int
    sequence: int
    stream_id: int


class SnapshotExporter:
    """`send` and `close` are called from the watcher thread; the delivery happens elsewhere.

    `request_key_frame` is called, on the link's thread, when a snapshot was lost; `asked` when the collector's answer
    to one carried a request.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        resource: Resource,
        request_key_frame: Callable[[], None],
        protocol_trace: bool,
        asked: Callable[[Request], None] = lambda _request: None,
    ) -> None:
        self._endpoint = endpoint
        self._resource = resource
        self._request_key_frame = request_key_frame
        self._protocol_trace = protocol_trace
        self._asked = asked
        self._stream = (0, 0)
        self._heard = RequestsHeard(endpoint, lambda: self._stream, self._on_request)
        self.cpu_ns = self.sent = 0
        """Since the process began: processor time of the link's thread, bytes of snapshots handed to the network."""
        self._open()
        self.dropped = 0
        self._complained = False

    def _open(self) -> None:
        self._encoder: Encoder | None = None
        self._encoding = native.Lock()
        self._early: deque[Snapshot] = deque()
        self._not_before = time.monotonic() + _EARLY_S
        self._queue: deque[Outgoing] = deque()
        self._answers: deque[LogRecord] = deque(maxlen=_ANSWERS)
        self._lock = native.Lock()
        self._wake = native.Event()
        self._closing = False
        self._thread: native.Thread | None = None
        self._cpu_before_ns = self.cpu_ns
        self._exporter: Any = None

    def send(self, snapshot: Snapshot) -> None:
        """Encodes and queues. Never blocks on the network."""
        if self._closing:  # the watcher had paused
            self._open()
        self._stream = (snapshot.stream_id, snapshot.secret)
        self._early.append(snapshot)
        if not self._too_early():
            self._queue_early()
        self._wake.set()
        self.start()

    def _too_early(self) -> bool:
        """A process that ends at once is not told of."""
        loaded = f"{__package__}.otlp_http" in sys.modules
        return not loaded and (time.monotonic() < self._not_before or beginning.within(_EARLY_S))

    def _queue_early(self) -> None:
        """On the watcher's thread, and once on the link's."""
        with self._encoding:
            while self._early:
                self._encode(self._early.popleft())

    def _encode(self, snapshot: Snapshot) -> None:
        with native.importing:
            from ..model.wire import Encoder  # with the whole of protobuf

        snapshot.dropped = self.dropped
        if snapshot.key_frame or self._encoder is None:
            self._encoder = Encoder()
        outgoing = Outgoing(
            self._encoder.encode(snapshot, _turns()),
            snapshot.time_ns,
            snapshot.sequence,
            snapshot.stream_id,
        )
        with self._lock:
            if snapshot.key_frame:
                self.dropped += len(self._queue)  # a complete one makes the waiting ones worthless
                self._queue.clear()
            elif len(self._queue) >= _QUEUE:
                self.dropped += 1
                self._request_key_frame()
                return
            self._queue.append(outgoing)

    def start(self) -> None:
        """Starts the thread, if it does not run. Early: once the main thread has ended, Python (3.12) starts no more
        threads, though others may go on for long."""
        if self._thread is not None:
            return
        thread = native.Thread(self._run, THREAD_NAME)
        try:
            thread.start()
        except RuntimeError:  # too late: what is queued waits for `close`
            return
        self._thread = thread

    def answer(self, record: LogRecord) -> None:
        """Sends what a request has asked for, once. On any thread; nothing was asked before the first snapshot."""
        with self._lock:
            self._answers.append(record)
        self._wake.set()

    def close(self, timeout_s: float = 1.0) -> None:
        """Gives what is queued a last chance of `timeout_s`."""
        self._closing = True
        self._heard.stop()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout_s)
        if self._exporter is not None:
            self._exporter.shutdown()

    def _run(self) -> None:
        while self._too_early():
            self._wake.clear()
            if self._closing:
                return
            self._wake.wait(max(_STEP_S, self._not_before - time.monotonic()))
        self._queue_early()
        while True:
            self._wake.clear()
            if not self._queue and not self._answers and not self._closing:
                self._wake.wait()
            with self._lock:
                answers = list(self._answers)
                self._answers.clear()
                outgoing = self._queue.popleft() if self._queue else None
                closing = self._closing
            if answers:
                self._export(answers)
            if outgoing is None:
                if closing:
                    return
                continue
            if self._deliver(outgoing):
                if not closing:
                    self._heard.start()
                continue
            self.dropped += 1
            if not self._complained and not self._closing:  # as Python ends, exports may fail for want of Python
                self._complained = True
                _logger.warning("peeps: %s does not take snapshots; trying on, said once", self._endpoint.url)
            self._request_key_frame()
            if closing:
                return
            native.sleep(_RETRY_S)

    def _deliver(self, outgoing: Outgoing) -> bool:
        record = LogRecord(
            timestamp=outgoing.time_ns,
            observed_timestamp=outgoing.time_ns,
            event_name=semconv.EVENT_SNAPSHOT,
            body=outgoing.body,
            attributes={
                semconv.STREAM_ID: f"{outgoing.stream_id:016x}",
                semconv.SEQUENCE: outgoing.sequence,
            },
        )
        if self._protocol_trace:
            _logger.info(
                "peeps: snapshot %d to %s, %d bytes: %r",
                outgoing.sequence,
                self._endpoint.url,
                len(outgoing.body),
                outgoing.body[:_PREVIEW],
            )
        self.sent += len(outgoing.body)
        delivered = self._export([record])
        self.cpu_ns = self._cpu_before_ns + time.thread_time_ns()
        return delivered

    def _export(self, records: list[LogRecord]) -> bool:
        if self._exporter is None:
            self._exporter = self._endpoint.exporters().snapshot_exporter(self._endpoint.url, _TIMEOUT_S, self._hear)
        scope = InstrumentationScope(semconv.SCOPE, __version__, semconv.SCHEMA_URL)
        batch = [ReadableLogRecord(record, self._resource, scope) for record in records]
        try:
            with suppressed(), quiet():
                return self._exporter.export(batch) is LogRecordExportResult.SUCCESS
        except Exception:
            return False

    def _hear(self, header: str) -> None:
        """The collector's answer to a snapshot has carried a header."""
        request = Request.parse(header)
        if request is not None:
            self._on_request(request)

    def _on_request(self, request: Request) -> None:
        try:
            self._asked(request)
        except Exception:
            _logger.warning("peeps: a request of the collector failed; the program is not affected", exc_info=True)
