# SPDX-License-Identifier: Apache-2.0
"""The walk-through of CONTRIBUTING: the command that it writes works as it says."""

from __future__ import annotations

import argparse
import re
import textwrap
from pathlib import Path
from types import ModuleType

import pytest

from peeps_collector.cli.main import COMMANDS
from peeps_collector.config import Config
from peeps_otel.version import __version__
from tests.collector.collector_support import Running

ROOT = Path(__file__).parents[2]


def test_the_command_of_the_walk_through(collector: Running, capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"^   ```python\n(.*?)^   ```$", (ROOT / "CONTRIBUTING.md").read_text(), re.S | re.M)
    module, test = map(textwrap.dedent, blocks)
    command = ModuleType("peeps_collector.cli.health")
    command.__package__ = "peeps_collector.cli"
    exec(compile(module, "health.py", "exec"), command.__dict__)

    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    code = command.run(parser.parse_args([]), Config.from_environment({"PEEPS_API": collector.api}))

    said = f"ok, version {__version__}\n"
    assert (command.NAME, code, capsys.readouterr().out) == ("health", 0, said)
    assert command.NAME not in {one.NAME for one in COMMANDS}, "then the walk-through needs another example"
    assert test.strip().endswith('assert (result.returncode, result.stdout) == (0, f"ok, version {__version__}\\n")')
