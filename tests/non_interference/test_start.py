# SPDX-License-Identifier: Apache-2.0
"""What our start loads into a program: counted in modules, for the time of a busy machine says nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys

_PROGRAM = """
import sys, json, os
import asyncio, importlib.metadata
import opentelemetry.instrumentation.instrumentor, opentelemetry.sdk._logs, opentelemetry.sdk.metrics
import opentelemetry.sdk.trace
before = set(sys.modules)
import peeps_otel
peeps_otel.init("small")
from peeps_otel import agent
agent.running().pause()
print(json.dumps(sorted(set(sys.modules) - before)))
sys.stdout.flush()
os._exit(0)
"""
_OWN_MOST = 335
_OTHERS_MOST = 60
_LATER = {  # what few programs need, or only a command
    "grpc",
    "statistics",
    "decimal",
    "tomllib",
    "peeps_otel.roam",
    "peeps_otel.watchdog.report",
    "streamlit",
    "duckdb",
}


def test_the_start_loads_what_it_needs_and_no_more() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PEEPS_", "OTEL_"))}
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM], env=environment, capture_output=True, text=True, timeout=120, check=True
    )
    loaded: list[str] = json.loads(done.stdout)
    own = [name for name in loaded if name.startswith("peeps_otel")]
    others = [name for name in loaded if not name.startswith("peeps_otel")]
    assert _LATER.intersection(loaded) == set()
    assert (len(own) <= _OWN_MOST, len(others) <= _OTHERS_MOST) == (True, True), (len(own), len(others), others)
