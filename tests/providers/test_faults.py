# SPDX-License-Identifier: Apache-2.0
"""A provider fault is an event in any backend, once as long as it stays the same."""

from __future__ import annotations

import time
from typing import Any

from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor

from peeps_otel import semconv
from peeps_otel.export.events import Events
from peeps_otel.model import Snapshot
from peeps_otel.providers import RpcReport
from peeps_otel.watcher.interfaces import CycleResult
from tests.providers.provider_world import World, a_world, provided


def _look(world: World, events: Events) -> None:
    observation = world.look().observation
    events.take(CycleResult(observation, Snapshot(1, 1, time.time_ns(), True), [], [], [], [], []))


def test_a_fault_is_an_event_when_it_begins_and_when_its_reason_changes() -> None:
    exported = InMemoryLogRecordExporter()
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exported))
    events = Events(provider, "none")
    now: list[Any] = [ValueError, ValueError, KeyError, None, ValueError]

    def report() -> RpcReport:
        error = now.pop(0)
        if error is not None:
            raise error("a secret")
        return RpcReport()

    with a_world() as world, provided(report, kind="rpc", name="wire"):
        while now:
            _look(world, events)
            time.sleep(0.01)  # it is left alone for a hundred times what it took
    told = [data.log_record for data in exported.get_finished_logs()]
    assert {record.event_name for record in told} == {semconv.EVENT_PROVIDER_FAULT}
    assert [dict(record.attributes or {}) for record in told] == [
        {semconv.PROVIDER_NAME: "wire", semconv.PROVIDER_KIND: "rpc", semconv.PROVIDER_REASON: reason}
        for reason in ("raised ValueError", "raised KeyError", "raised ValueError")
    ]
    assert told[0].body == "provider wire: raised ValueError"
