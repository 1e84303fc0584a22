# SPDX-License-Identifier: Apache-2.0
"""What is loaded only by those who need it, counted in modules: the time of a busy machine says nothing."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from peeps_otel.export import early

ROOT = Path(__file__).parents[2]
_DOORS = {
    "peeps_otel",
    "peeps_otel.config",
    "peeps_otel.config_values",
    "peeps_otel.instrumentor",
    "peeps_otel.interpreter_internals",
    "peeps_otel.version",
}


def loaded(code: str, **settings: str) -> set[str]:
    """The modules of ours that are there after `code`."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PEEPS_", "OTEL_"))}
    program = f"import json, sys\n{code}\nprint(json.dumps([n for n in sys.modules if n.startswith('peeps_')]))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment | settings,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return set(json.loads(done.stdout))


@pytest.mark.parametrize(
    "door",
    [
        "import peeps_otel.instrumentor\npeeps_otel.instrumentor.post_instrument()",
        "from peeps_otel.instrumentor import PeepsInstrumentor\nPeepsInstrumentor().instrument()",
        "import peeps_otel.instrumentor\npeeps_otel.init()",
    ],
    ids=["post_instrument", "instrument", "init"],
)
def test_where_we_are_switched_off_only_the_door_and_its_switch_are_loaded(door: str) -> None:
    assert loaded(door, PEEPS_ENABLED="false") == _DOORS


def test_a_program_that_ends_at_once_loads_no_exporter_to_say_so() -> None:
    """However long the start takes that comes before it: what counts begins with its own code, which stretches here
    what is at once, for the machine may be busy."""
    launcher = Path(sys.executable).with_name("opentelemetry-instrument")
    code = "from peeps_otel.export import collector_exporters, snapshot_exporter\n"
    code += "collector_exporters._EARLY_S = snapshot_exporter._EARLY_S = 3600\nimport time\nprint(time.monotonic())"
    settings = {"PEEPS_COLLECTOR_ENDPOINT": "127.0.0.1:9", "PYTHONPROFILEIMPORTTIME": "1"}
    settings |= {f"OTEL_{signal}_EXPORTER": "none" for signal in ("TRACES", "METRICS", "LOGS")}
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PEEPS_", "OTEL_"))}
    command = [launcher, sys.executable, "-c", code]
    began = time.monotonic()
    done = subprocess.run(command, env=environment | settings, capture_output=True, text=True, check=True)
    if float(done.stdout.split()[-1]) - began > early._START_MOST_S:  # pyright: ignore[reportPrivateUsage]  # what it waits for
        pytest.skip("the machine is so busy that the start is taken for stuck, which is told")
    names = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "peeps_otel.watcher.thread" in names
    assert names & {"peeps_otel.export.otlp_http", "peeps_otel.model.wire", "google.protobuf"} == set()


_SEEN = """
import os, sys
import peeps_otel
peeps_otel.init("small")
from peeps_otel import agent
agent.running().pause()
before = set(sys.modules)
USED
agent.running().parts.probes.look(1)
after = {name for name in set(sys.modules) - before if name.startswith("peeps_otel")}
print(sorted(after))
agent.stop()
"""


@pytest.mark.parametrize(
    ("used", "there"),
    [
        ("", set[str]()),
        ("import janus", {"peeps_otel.probes.janus.library"}),
        ("import tornado.queues", {"peeps_otel.probes.tornado.library"}),
        ("import trio", {"peeps_otel.probes.trio.library", "peeps_otel.probes.trio.probe"}),
        ("import gevent", {"peeps_otel.probes.gevent.library", "peeps_otel.probes.gevent.probe"}),
        ("import multiprocessing.shared_memory", {"peeps_otel.providers.probe"}),
    ],
)
def test_what_is_for_a_library_is_loaded_when_the_program_has_imported_it(used: str, there: set[str]) -> None:
    for library in used.split()[1:]:
        pytest.importorskip(library.partition(".")[0])
    done = subprocess.run(
        [sys.executable, "-c", _SEEN.replace("USED", used)],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith(("PEEPS_", "OTEL_"))},
        capture_output=True,
        text=True,
        check=True,
    )
    known = {f"peeps_otel.probes.{name}" for name in ("janus.library", "gevent.library", "gevent.probe")}
    known.add("peeps_otel.probes.tornado.library")
    known |= {"peeps_otel.probes.trio.library", "peeps_otel.probes.trio.probe", "peeps_otel.providers.probe"}
    assert known & set(ast.literal_eval(done.stdout)) == there


def test_who_sends_snapshots_loads_nothing_that_reads_them() -> None:
    assert "peeps_otel.model.wire_decoder" not in loaded("import peeps_otel.export.events, peeps_otel.model.wire")


def test_where_python_was_built_is_not_read_for_its_paths() -> None:
    code = (
        "import peeps_otel.probes.source.ownership, sys; assert not [n for n in sys.modules if '_sysconfigdata' in n]"
    )
    subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); {code}"], check=True
    )


def test_the_package_itself_loads_nothing() -> None:
    assert loaded("import peeps_otel") == {"peeps_otel", "peeps_otel.version"}
