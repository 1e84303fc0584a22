# SPDX-License-Identifier: Apache-2.0
"""The lines that connect a program, and the verdict where nothing is connected."""

from __future__ import annotations

from collections.abc import Sequence

from ..api import Listen, Process
from . import words
from .verdict import Headline

INSTALL = "pip install peeps-otel peeps-otel-distro"
DEFAULT_PUSH = "127.0.0.1:9119"


def push_address(listen: Listen | None) -> str:
    """Where a program pushes: the first address the collector listens at."""
    return next(iter((listen or {"grpc": [], "http": []})["grpc"]), DEFAULT_PUSH)


def start(address: str) -> str:
    return f"PEEPS_COLLECTOR_ENDPOINT={address} opentelemetry-instrument --service_name my-service python app.py"


def endpoint(address: str) -> str:
    return f"OTEL_EXPORTER_OTLP_ENDPOINT=http://{address}"


def nobody(processes: Sequence[Process]) -> Headline:
    ended = sum(p["state"] == "gone" for p in processes)
    foreign = sum(p["state"] == "foreign" for p in processes)
    rest = "the collector is running and waits for the first one."
    note = ""
    if ended:
        note = f"{words.count(ended, 'program')} had been connected and ended."
    if foreign:
        note = f"{note} {words.count(foreign, 'program')} sends ordinary telemetry only, without snapshots.".strip()
    return Headline("gray", "No program is connected", rest, note)


def unreachable(address: str, message: str, trouble: str) -> Headline:
    if trouble == "unreachable":
        what = f"nothing listens at {address}." if "refused" in message else f"no answer from {address}."
        return Headline("orange", "The collector does not answer", what, message)
    return Headline("orange", "The collector gave no answer that can be shown", f"{address} said: {message}", "")
