# SPDX-License-Identifier: Apache-2.0
"""The collector's own numbers as OTLP metrics, once a minute, to where PEEPS_METRICS_TO says."""

from __future__ import annotations

import os
import platform
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality

from peeps_otel import semconv

from .exposition import numbers_of
from .forward import Forwarder
from .receive.request import Encoding, Signal
from .version import __version__

_EVERY_S = 60.0
_BYTES = 1 << 20  # of all that wait for a backend that is down


class OwnMetrics:
    """A thread of its own, where there is a backend. `health`: the answer of GET /health."""

    def __init__(
        self, urls: Sequence[str], headers: Mapping[str, str], health: Callable[[], Mapping[str, Any]]
    ) -> None:
        self._forwarder = Forwarder(urls, [Signal.METRICS.value], headers, _BYTES)
        self._health = health
        self._instance = str(uuid.uuid4())
        self._start_ns = time.time_ns()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="peeps-own-metrics", daemon=True)

    def start(self) -> None:
        if self._forwarder:
            self._forwarder.start()
            self._thread.start()

    def stop(self) -> None:
        """The last numbers go out, too."""
        if self._thread.is_alive():
            self._stop.set()
            self._thread.join(5)
            self._forwarder.stop()

    def status(self) -> list[dict[str, Any]]:
        return self._forwarder.status()

    def request(self) -> ExportMetricsServiceRequest:
        """The numbers as they are now."""
        request, now_ns = ExportMetricsServiceRequest(), time.time_ns()
        block = request.resource_metrics.add()
        named = {
            semconv.SERVICE_NAME: "peeps-collector",
            "service.version": __version__,
            semconv.SERVICE_INSTANCE_ID: self._instance,
            "host.name": platform.node(),
        }
        for key, text in named.items():
            block.resource.attributes.add(key=key).value.string_value = text
        block.resource.attributes.add(key=semconv.PROCESS_PID).value.int_value = os.getpid()
        scope = block.scope_metrics.add()
        scope.scope.name, scope.scope.version = "peeps_collector", __version__
        known: dict[str, Any] = {}
        for one in numbers_of(self._health()):
            metric = known.get(one.name)
            if metric is None:
                metric = known[one.name] = scope.metrics.add(name=one.name, description=one.text)
                if one.kind == "counter":
                    metric.sum.is_monotonic = True
                    metric.sum.aggregation_temporality = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
            points = metric.sum.data_points if one.kind == "counter" else metric.gauge.data_points
            point = points.add(time_unix_nano=now_ns, as_int=one.value)
            if one.kind == "counter":
                point.start_time_unix_nano = self._start_ns
            for key, text in one.labels:
                point.attributes.add(key=key).value.string_value = text
        return request

    def _run(self) -> None:
        while True:
            ended = self._stop.wait(_EVERY_S)
            self._forwarder.offer(Signal.METRICS, Encoding.PROTOBUF, self.request().SerializeToString())
            if ended:
                return
