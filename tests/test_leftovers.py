# SPDX-License-Identifier: Apache-2.0
"""What a test leaves behind is found in that test."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.leftovers import no_process_left


@pytest.mark.skipif(sys.platform != "linux", reason="processes are seen through /proc")
def test_a_process_that_is_left_behind_is_named() -> None:
    before = subprocess.Popen(["sleep", "1000"])
    left: list[subprocess.Popen[bytes]] = []
    try:
        with pytest.raises(AssertionError) as told, no_process_left(patience_s=0):
            left.append(subprocess.Popen(["sleep", "999"]))
        assert (str(left[0].pid) in str(told.value), str(before.pid) in str(told.value)) == (True, False)
    finally:
        for process in (before, *left):
            process.kill()
    with no_process_left():
        for process in (before, *left):
            process.wait()
