# SPDX-License-Identifier: Apache-2.0
"""A call that comes back to a server whose only thread waits for its answer is accepted by nobody: with spans, too."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.e2e_support import Collector
from tests.e2e.together import together
from tests.support.network import free_port
from tests.support.waiting import eventually

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the ends are named by Linux")
PROGRAM = Path(__file__).with_name("calls_back.py")
PATIENCE_S = 90.0


@pytest.fixture
def programs(collector: Collector, tmp_path: Path) -> Iterator[None]:
    shop, stock, slow = (str(free_port()) for _ in range(3))
    calls = (("shop", shop, stock, "/order"), ("stock", stock, shop), ("slow", slow, slow, "/slow"))
    with together(PROGRAM, {call[0]: call for call in calls}, collector, tmp_path):
        yield


@pytest.mark.usefixtures("programs")
def test_the_ring_leads_through_the_calls(collector: Collector) -> None:
    def found() -> Any:
        findings = collector.get("/api/findings")["findings"]
        return findings if any(one["kind"] == "deadlock" and len(one["processes"]) > 1 for one in findings) else None

    findings = eventually(found, "the ring of shop and stock", PATIENCE_S)
    names = {one["id"]: one["service"] for one in collector.get("/api/processes")["processes"]}
    assert [(one["level"], sorted(names[process] for process in one["processes"])) for one in findings] == [
        ("LIKELY", ["shop", "stock"])
    ]
    (ring,) = findings
    asked = {step["resource_label"].partition(" to ")[0] for step in ring["evidence"]}
    assert asked >= {"request GET /price", "request GET /rate"}
