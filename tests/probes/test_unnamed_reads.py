# SPDX-License-Identifier: Apache-2.0
"""Threads that read from a pipe in C code that is called by no name."""

from __future__ import annotations

import os

from tests.probes.threads_world import world


def test_who_goes_through_the_lines_of_a_pipe_waits_at_its_end() -> None:
    reads, writes = os.pipe()

    def lines() -> None:
        with os.fdopen(reads, "rb") as file:
            for _ in file:
                pass

    with world() as made:
        made.cleaning.append(lambda: os.close(writes))
        made.start("lines", lines)
        seen = made.settled("lines", state="blocked")
        wait = seen.thread("lines").wait
        assert wait is not None
        assert wait.operation == "file.read"
        assert [node.kind for node in seen.needed("lines")] == ["io"]
