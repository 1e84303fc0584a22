# SPDX-License-Identifier: Apache-2.0
"""A child that waits for the end of its input, which another process has inherited."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager

import pytest

from peeps_otel.probes.internals.child_pipes import keeper_of_input
from peeps_otel.probes.internals.thread import READS, system_call
from tests.support.waiting import eventually

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="`/proc` tells")


@contextmanager
def _reader_and_writer(inherits: bool) -> Generator[tuple[int, int]]:
    """A `cat`, and a process that has its input open to write: as a mere number, or as its standard output."""
    reads, writes = os.pipe()
    with subprocess.Popen(["cat"], stdin=reads, stdout=subprocess.DEVNULL) as cat:
        os.close(reads)
        how = {"pass_fds": (writes,)} if inherits else {"stdout": writes}
        with subprocess.Popen(["sleep", "1000"], **how) as sleep:  # pyright: ignore[reportCallIssue, reportArgumentType]  # either
            os.close(writes)
            try:
                yield cat.pid, sleep.pid
            finally:
                sleep.kill()


def _reads(pid: int) -> bool:
    call = system_call(pid, pid)
    return call is not None and call[0] in READS


def test_by_chance() -> None:
    with _reader_and_writer(inherits=True) as (cat, sleep):
        assert eventually(lambda: keeper_of_input(cat)) == f"sleep (pid {sleep})"


def test_one_that_writes_what_it_prints_into_it_means_to() -> None:
    with _reader_and_writer(inherits=False) as (cat, sleep):
        assert eventually(lambda: _reads(cat) and os.path.exists(f"/proc/{sleep}/fd/1"))
        assert keeper_of_input(cat) == ""


def test_what_this_process_could_write_is_none() -> None:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as cat:
        with subprocess.Popen(["true"]) as other:
            other.wait()
        assert eventually(lambda: _reads(cat.pid))
        assert keeper_of_input(cat.pid) == ""
