# SPDX-License-Identifier: Apache-2.0
"""The blame profile, read back by what it is made for: OpenTelemetry's messages, and pprof where it is installed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from opentelemetry.proto.collector.profiles.v1development.profiles_service_pb2 import ExportProfilesServiceRequest

from tests.collector.blame_story import tell
from tests.collector.collector_support import Running
from tests.support.network import http

# Where `audit` slept with a lock in its hands that `move` wanted; leaf first.
STACK = [("audit", "app.py", 45), ("nap", "app.py", 40), ("[lock db]", "", 0), ("move", "app.py", 31)]


def test_otlp_profiles(collector: Running) -> None:
    tell(collector)
    request = ExportProfilesServiceRequest.FromString(http(f"http://{collector.api}/api/blame?format=otlp").body)
    tables = request.dictionary
    text = list(tables.string_table)
    # The first of each table means that there is none.
    assert text[0] == ""
    for table in (tables.location_table, tables.function_table, tables.stack_table, tables.mapping_table):
        assert table[0].ByteSize() == 0
    (block,) = request.resource_profiles
    (scope,) = block.scope_profiles
    waits, delay = scope.profiles
    kinds = [(text[one.sample_type.type_strindex], text[one.sample_type.unit_strindex]) for one in (waits, delay)]
    assert kinds == [("waits", "count"), ("delay", "nanoseconds")]
    assert len({one.profile_id for one in scope.profiles}) == 2
    (count,), (slow,) = waits.samples, delay.samples
    assert (list(count.values), count.stack_index) == ([1], slow.stack_index)
    assert 8_500_000_000 < slow.values[0] < 9_500_000_000
    found: list[tuple[str, str, int]] = []
    for location in tables.stack_table[slow.stack_index].location_indices:
        (line,) = tables.location_table[location].lines
        function = tables.function_table[line.function_index]
        found.append((text[function.name_strindex], text[function.filename_strindex], line.line))
    assert sorted(found) == sorted(STACK)
    assert found[-1] == STACK[-1]
    assert waits.duration_nano == delay.duration_nano == 600_000_000_000


@pytest.mark.skipif(shutil.which("go") is None, reason="pprof comes with Go")
def test_pprof_reads_it(collector: Running, tmp_path: Path) -> None:
    tell(collector)
    file = tmp_path / "blame.pb.gz"
    file.write_bytes(http(f"http://{collector.api}/api/blame?format=pprof").body)
    done = subprocess.run(["go", "tool", "pprof", "-traces", file], capture_output=True, text=True, cwd=tmp_path)
    if "no such tool" in done.stderr:
        pytest.skip("this Go has no pprof")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "Type: delay" in lines
    told = [line.split()[-1] for line in lines if line.startswith(" ")]
    assert told[-1] == "move"
    assert {"audit", "nap"} <= set(told)
