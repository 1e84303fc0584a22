# SPDX-License-Identifier: Apache-2.0
"""How a program is started in each mode.

* `baseline`: Python alone;
* `otel`: under `opentelemetry-instrument`, with us switched off, spans recorded and exported nowhere;
* `peeps`: the same as a user starts it, with `PEEPS_COLLECTOR_ENDPOINT` naming a collector that runs;
* or a peer's name.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from .peers import PEERS

BASELINE, OTEL, PEEPS = "baseline", "otel", "peeps"
ROOT = Path(__file__).resolve().parent.parent


class Started(NamedTuple):
    command: list[str]
    environment: dict[str, str]


def started(mode: str, python: Path, dashboard: str, module: str, *arguments: str) -> Started:
    """The command line and environment of a module of this folder, to be run in `ROOT`."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PEEPS_", "OTEL_"))}
    environment |= {f"OTEL_{signal}_EXPORTER": "none" for signal in ("TRACES", "METRICS", "LOGS")}
    environment |= {"PEEPS_COLLECTOR_ENDPOINT": dashboard} if mode == PEEPS else {"PEEPS_ENABLED": "false"}
    command = [str(python), "-m", module, *arguments]
    if mode in (OTEL, PEEPS):
        command = [str(python.with_name("opentelemetry-instrument")), "--service_name", "bench", *command]
    elif mode in PEERS:
        environment |= PEERS[mode].environment
    return Started(command, environment)
