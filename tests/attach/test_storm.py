# SPDX-License-Identifier: Apache-2.0
"""Attaching hurts nobody: programs under load, attached to again and again, also by a tool that is killed at any
moment, do all of their work right. `python -m bench.attach --times 1000` is the same for longer."""

from __future__ import annotations

import sys

import pytest

from bench.attach import storm
from tests.attach.attach_story import CAN_ATTACH

pytestmark = [CAN_ATTACH, pytest.mark.slow]

TIMES = 15


@pytest.mark.parametrize("program", ["tasks", "threads", "allocating", "forking", "signals", "floats", "in_c"])
def test_a_program_that_is_attached_to_works_on(program: str) -> None:
    found = storm(sys.executable, program, TIMES)
    assert (found.end, found.left, found.tries) == ("right", 0, TIMES), found
    assert found.done or program in ("allocating", "in_c"), found


@pytest.mark.parametrize("program", ["tasks", "allocating", "forking", "signals"])
def test_a_tool_that_is_killed_leaves_a_program_that_works(program: str) -> None:
    found = storm(sys.executable, program, TIMES, kill=True)
    assert (found.end, found.left, found.hung, found.tries) == ("right", 0, 0, TIMES), found
    assert found.killed, found


def test_who_never_lets_go_of_the_interpreter_is_left_alone() -> None:
    found = storm(sys.executable, "busy", 2)
    assert (found.end, found.done, sum(found.refused.values())) == ("right", 0, 2), found
