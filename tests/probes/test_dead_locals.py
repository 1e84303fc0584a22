# SPDX-License-Identifier: Apache-2.0
"""Variables that are set before they are read again: their function has not what they refer to."""

from __future__ import annotations

import dis
from collections.abc import Callable
from typing import Any

import pytest

from peeps_otel.probes.heap.dead_locals import dead_locals


def accepts(server: Any, handle: Any) -> None:
    while True:
        connection, _ = server.accept()
        handle(connection)


def accepts_in_a_block(server: Any, handle: Any) -> None:
    with server:
        while True:
            connection = server.accept()
            handle(connection)


def tells_the_last_one(server: Any) -> None:
    last: Any = None
    while True:
        connection = server.accept()
        if last is not None:
            last.send(connection)
        last = connection


def closes_in_a_handler(server: Any) -> None:
    connection: Any = None
    while True:
        try:
            connection = server.accept()
        except OSError:
            connection.close()


def passes_itself_on(server: Any) -> None:
    connection: Any = None
    while True:
        connection = server.accept(connection)


@pytest.mark.parametrize(
    ("function", "dead"),
    [
        (accepts, {"connection", "_"}),
        (accepts_in_a_block, {"connection"}),
        (tells_the_last_one, {"connection"}),
        (closes_in_a_handler, set[str]()),
        (passes_itself_on, {"connection"}),
    ],
)
def test_what_is_set_before_it_is_read(function: Callable[..., None], dead: set[str]) -> None:
    code = function.__code__
    call = next(one.offset for one in dis.get_instructions(code) if one.opname.startswith("CALL"))
    assert dead_locals(code, call) == dead


def test_nothing_is_concluded_past_a_jump() -> None:
    code = accepts.__code__
    calls = [one.offset for one in dis.get_instructions(code) if one.opname.startswith("CALL")]
    assert dead_locals(code, calls[1]) == set()
