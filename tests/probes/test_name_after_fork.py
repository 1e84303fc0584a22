# SPDX-License-Identifier: Apache-2.0
"""What a forked process is called: `multiprocessing` names those that it makes. A process that one of these forks by
itself has that name in its memory, but is another process."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.processes import environment

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no fork")

PROGRAM = """
import multiprocessing, os
from peeps_otel.probes.inherited import Inherited
from peeps_otel.probes.internals import sharing

after = []
os.register_at_fork(after_in_child=lambda: after.append(Inherited(os.getppid(), {}, [])))

def said():
    return sharing.own_name(), after[-1].is_called_after_parent()

def made():
    print(*said(), flush=True)
    child = os.fork()
    if child == 0:
        print(*said(), flush=True)
        os._exit(0)
    os.waitpid(child, 0)

process = multiprocessing.get_context("fork").Process(target=made, name="packer")
process.start()
process.join()
"""


def test_a_fork_of_a_named_process_is_not_that_process() -> None:
    said = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment(), capture_output=True, text=True, timeout=60, check=True
    )
    assert said.stdout.splitlines() == ["packer False", "packer True"]
