# SPDX-License-Identifier: Apache-2.0
"""What a copy answers about "this process": it has none of its files and is no child of its parent."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from tests.support.processes import environment

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="from Linux's /proc")

# A process that has closed its files, as a copy has, and is told to be its parent.
COPY = """
import os, sys
os.closerange(3, 100)
from peeps_otel.attach.as_the_process import be_as_the_process
from peeps_otel.probes.runtime import listens
before = listens()
pid = os.getppid()
be_as_the_process({"inner_pid": pid, "inner_parent": 4711, "seen": {}, "native_ids": {}}, None)
print(before, listens(), os.getppid(), "socket" in " ".join(os.readlink(f"/proc/self/fd/{fd}") for fd in
      os.listdir("/proc/self/fd")), open("/proc/self/status").readlines()[5].split()[1] == str(pid))
"""


def test_files_and_parent_are_those_of_the_process() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        said = subprocess.run(
            [sys.executable, "-c", COPY], env=environment(), capture_output=True, text=True, timeout=60, check=True
        )
        assert said.stdout.split() == ["False", "True", "4711", "True", "True"]
    assert os.getppid() != 4711
