# SPDX-License-Identifier: Apache-2.0
"""With a collector of ours, what the program's own set-up leaves asleep stays asleep; `PEEPS_FORWARD` wakes it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

_PROGRAM = """
import json, time
from opentelemetry import metrics, trace
from opentelemetry._logs import get_logger_provider
import peeps_otel, peeps_otel.agent

peeps_otel.init("shop")
tracers, meters, loggers = trace.get_tracer_provider(), metrics.get_meter_provider(), get_logger_provider()
own = peeps_otel.agent.running()._lasting.own
taken = [type(one).__name__ for one in tracers._active_span_processor._span_processors]
print(json.dumps({
    "spans": taken,
    "logs": [type(one).__name__ for one in loggers._multi_log_record_processor._log_record_processors],
    "readers": len(meters._measurement_consumer._reader_storages),
    "own": None if own is None else [one is not None for one in (own.spans, own.loggers, own.meters)],
    "seen": trace.get_tracer("x").start_span("call", kind=trace.SpanKind.SERVER).is_recording(),
}))
"""


def _set_up(**settings: str) -> dict[str, Any]:
    environment = {name: text for name, text in os.environ.items() if not name.startswith(("PEEPS_", "OTEL_"))}
    settings = {"PEEPS_WATCHDOG": "0"} | settings
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM], env=environment | settings, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_without_a_collector_there_is_nothing_of_ours_to_push() -> None:
    assert _set_up() == {"spans": ["LiveSpans"], "logs": [], "readers": 0, "own": None, "seen": True}


@pytest.mark.parametrize("forward", ["", "none", "NONE"])
def test_a_collector_adds_nothing_but_the_register_of_spans_to_the_program_s_providers(forward: str) -> None:
    found = _set_up(PEEPS_COLLECTOR_ENDPOINT="127.0.0.1:9", PEEPS_FORWARD=forward)
    assert found == {"spans": ["LiveSpans"], "logs": [], "readers": 0, "own": [True, True, True], "seen": True}


def test_what_is_to_be_forwarded_has_an_exporter_of_ours_and_ours_goes_the_same_way() -> None:
    found = _set_up(PEEPS_COLLECTOR_ENDPOINT="127.0.0.1:9", PEEPS_FORWARD="traces, metrics")
    assert found == {
        "spans": ["BatchSpanProcessor", "LiveSpans"],
        "logs": [],
        "readers": 1,
        "own": [False, True, False],
        "seen": True,
    }


def test_all_is_forwarded_and_no_metrics_of_ours_are_made_where_none_are_wanted() -> None:
    found = _set_up(PEEPS_COLLECTOR_ENDPOINT="127.0.0.1:9", PEEPS_FORWARD="all")
    assert (found["own"], found["readers"], found["logs"]) == ([False] * 3, 1, ["BatchLogRecordProcessor"])
    found = _set_up(PEEPS_COLLECTOR_ENDPOINT="127.0.0.1:9", PEEPS_METRICS="false", PEEPS_REQUESTS="false")
    assert (found["own"], found["readers"], found["spans"]) == ([True, True, False], 0, [])
