# SPDX-License-Identifier: Apache-2.0
"""gRPC between a watched program and a Node.js process with OpenTelemetry's own SDK, both ways. Nothing of ours is in
that process: what it says of a call comes at its end, by OTLP."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Watch
from tests.e2e.e2e_support import Collector
from tests.support.network import free_port
from tests.support.processes import end
from tests.support.program import Program
from tests.support.waiting import eventually

HERE = Path(__file__).with_name("node_peer")

SPANS = """
SELECT service, name, kind, parent_span_id, span_id, trace_id
FROM span WHERE name ILIKE '%Prices/Read' ORDER BY kind
"""


@pytest.fixture(scope="module")
def packages() -> Path:
    """The peer's npm packages, as the lock file has them; kept beside it from one run to the next."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("needs Node.js")
    installed, lock = HERE / "node_modules" / ".package-lock.json", HERE / "package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"]
        done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=100, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return HERE


@pytest.fixture
def books(packages: Path, collector: Collector, watch: Watch, tmp_path: Path) -> Iterator[Program]:
    """It has an answer of the Node.js process, waits for another one, and does not answer that one's call."""
    own, prices = str(free_port()), str(free_port())
    settings = {
        "OTEL_SERVICE_NAME": "prices",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{collector.otlp}",
        "OTEL_BSP_SCHEDULE_DELAY": "200",
    }
    with (tmp_path / "prices.txt").open("wb") as output:
        command = ["node", str(packages / "prices.cjs"), prices, own]
        peer = subprocess.Popen(command, env={**os.environ, **settings}, stdout=output, stderr=subprocess.STDOUT)
    try:
        otlp = {"OTEL_BSP_SCHEDULE_DELAY": "200", "PEEPS_FORWARD": "traces"}
        yield watch(packages / "books.py", own, prices, **otlp)
    finally:
        end(peer)


@pytest.mark.usefixtures("books")
def test_its_spans_are_ours_and_what_hangs_is_told(collector: Collector) -> None:
    def ended() -> Any:
        rows = collector.sql(SPANS)
        return rows if len(rows) == 2 else None

    client, server = eventually(ended, "the call that was answered, as both ends have it")
    assert [client[0], server[0]] == ["books", "prices"]
    assert [client[2], server[2]] == ["client", "server"]
    assert (server[3], server[5]) == (client[4], client[5])

    def hanging() -> Any:
        answer = collector.get("/api/calls")
        told = {one["method"]: one for one in answer["calls"] if one["join"]}
        return told if len(told) == 2 else None

    calls = eventually(hanging, "a call to it, and one of it")
    to_it, of_it = calls["shop.Prices/Hang"], calls["shop.Books/Hang"]
    assert (to_it["join"], of_it["join"]) == ("peer_not_attached", "caller_unknown")
    assert re.fullmatch(
        r"request shop.Prices/Hang, sent \S+ \w+ ago by .+ in books; nobody who reports here has received it",
        to_it["text"],
    )
    assert (to_it["request"] is not None, to_it["response"], of_it["request"]) == (True, None, None)
    assert re.match(r"response shop.Books/Hang in books, received \S+ \w+ ago from an unknown caller, ", of_it["text"])
    assert collector.get("/api/findings")["findings"] == []
