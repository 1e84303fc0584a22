# SPDX-License-Identifier: Apache-2.0
"""Two processes of one script that call each other, and the ring through both."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.e2e.e2e_support import Collector
from tests.support.network import free_port
from tests.support.program import Program
from tests.support.waiting import eventually


@contextmanager
def each_other(
    script: Path, arguments: Sequence[str], collector: Collector, folder: Path, **settings: str
) -> Generator[None]:
    """`shop` and `inventory`: `script` with `arguments`, its own port and that of the other one."""
    ports = [str(free_port()), str(free_port())]
    settings |= {"PEEPS_COLLECTOR_ENDPOINT": collector.otlp, "PEEPS_CPU_BUDGET_PERCENT": "0"}
    programs = [
        Program(name, [str(script), *arguments, *order], folder, **settings)
        for name, order in (("shop", ports), ("inventory", ports[::-1]))
    ]
    try:
        yield
    finally:
        for program in programs:
            program.kill()


def across(collector: Collector) -> dict[str, Any] | None:
    """The worst finding about both; None before there is one."""
    found = collector.get("/api/findings")["findings"]
    return next((one for one in found if len(one["processes"]) > 1), None)


def check_ring(collector: Collector, waits: set[tuple[str, str]]) -> None:
    """It is told, LIKELY, with these waits: for what kind of thing, at which line."""
    finding = eventually(lambda: across(collector), "a verdict on both processes")
    assert (finding["kind"], finding["level"]) == ("deadlock", "LIKELY")

    def told() -> set[tuple[str, str]]:
        found = across(collector)
        assert found is not None
        return {(step["resource"].partition(":")[0], step["wait_source"]) for step in found["evidence"]}

    eventually(lambda: told() == waits, "the lines of all waits")
