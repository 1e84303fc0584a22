# SPDX-License-Identifier: Apache-2.0
"""What is loaded only by those who need it, counted in modules: the time of a busy machine says nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

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


def test_the_package_itself_loads_nothing() -> None:
    assert loaded("import peeps_otel") == {"peeps_otel", "peeps_otel.version"}
