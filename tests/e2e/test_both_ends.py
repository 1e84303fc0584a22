# SPDX-License-Identifier: Apache-2.0
"""Processes that wait for each other through sockets and pipes, without a span: both ends are found by their names."""

from __future__ import annotations

import re
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
PROGRAM = Path(__file__).with_name("both_ends.py")
PATIENCE_S = 90.0


@pytest.fixture
def programs(collector: Collector, tmp_path: Path) -> Iterator[None]:
    ports = [str(free_port()) for _ in range(5)]
    calls = (
        ("crosswise", "shop", ports[0], ports[1]),
        ("crosswise", "stock", ports[1], ports[0]),
        ("slow", "slow", ports[2], "0"),
        ("asks", "asks", "0", ports[2]),
        ("parent", "importer", "0", "0"),
        ("front", "front", ports[3], ports[4]),
        ("back", "back", ports[4], ports[3]),
    )
    with together(PROGRAM, {call[1]: call for call in calls}, collector, tmp_path):
        yield


def rings(collector: Collector) -> dict[frozenset[str], dict[str, Any]]:
    """The findings about more than one process, by the names of these."""
    names = {one["id"]: one["service"] for one in collector.get("/api/processes")["processes"]}
    answer = collector.get("/api/findings")
    return {
        frozenset(names.get(process, "") for process in one["processes"]): one
        for one in answer["findings"]
        if len(one["processes"]) > 1 and all(node in one["nodes"] for node in one["core"])
    }


def peers(collector: Collector) -> dict[str, str]:
    """By service: the processes at the other ends of what somebody there waits for."""
    answer = collector.get("/api/snapshot")
    names = {one["id"]: one["service"] for one in collector.get("/api/processes")["processes"]}
    return {
        names[node["process"]]: node["attributes"]["peeps.io.peer_process"].partition(" ")[0]
        for node in answer["nodes"]
        if "peeps.io.peer_process" in node["attributes"]
    }


@pytest.mark.usefixtures("programs")
def test_who_waits_at_one_end_is_told_who_has_the_other(collector: Collector) -> None:
    crosswise, family = frozenset({"shop", "stock"}), frozenset({"importer", "importer-child"})
    of_one_thread = frozenset({"front", "back"})
    wanted = {crosswise, family, of_one_thread}
    eventually(lambda: rings(collector).keys() >= wanted, "all rings", PATIENCE_S)
    found = rings(collector)
    assert {(one["kind"], one["level"]) for one in found.values()} == {("deadlock", "LIKELY")}
    kinds = sorted(found[crosswise]["nodes"][node]["kind"] for node in found[crosswise]["core"])
    assert kinds == ["io"] * 2 + ["lock"] * 2 + ["thread"] * 4
    kinds = sorted(found[family]["nodes"][node]["kind"] for node in found[family]["core"])
    assert kinds == ["command", "io", "thread", "thread"]
    assert "MainThread waits for the end of worker (pid " in found[family]["title"]
    title = found[of_one_thread]["title"]
    assert re.search(r", which only (another|the first) MainThread could accept", title)
    assert re.search(r", which only (another|the first) MainThread could write to", title)
    # A slow one is known as well, and nothing is said of it.
    eventually(lambda: peers(collector).get("asks") == "slow", "the slow one is seen", PATIENCE_S)
    assert rings(collector).keys() == wanted
