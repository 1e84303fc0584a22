# SPDX-License-Identifier: Apache-2.0
"""`peeps up` and its child: the explorer ends with the collector, however that ends."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.collector.collector_support import Running
from tests.support.waiting import eventually

EXPLORER = """
import json, os, pathlib, time
pathlib.Path(os.environ["EXPLORER_SAYS"]).write_text(
    json.dumps({"pid": os.getpid(), "api": os.environ["PEEPS_API"], "http": os.environ["PEEPS_HTTP"]}))
time.sleep(600)
"""


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A child nobody waited for is dead all the same.
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_the_explorer_ends_with_the_collector(start: Any, tmp_path: Path, ending: signal.Signals) -> None:
    import json

    package = tmp_path / "path" / "peeps_dashboard"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(EXPLORER)
    says = tmp_path / "says.json"
    collector: Running = start(
        "up", PYTHONPATH=str(package.parent), EXPLORER_SAYS=str(says), PEEPS_HTTP="127.0.0.1:45678"
    )
    eventually(lambda: says.exists() and says.read_text())
    said = json.loads(says.read_text())
    assert (said["api"], said["http"]) == (collector.api, "127.0.0.1:45678")
    collector.process.send_signal(ending)
    collector.process.wait(30)
    eventually(lambda: not alive(said["pid"]))
