# SPDX-License-Identifier: Apache-2.0
"""What the oracle takes for a refutation, and what excuses one."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from peeps_otel import semconv
from peeps_otel.model import Finding, FindingKind, Level, Node, NodeKind, Wait
from tests.refutation.oracle import Oracle
from tests.refutation.stage import Player, interrupting, module_name, stage

MINE, OTHER = 101, 102


@pytest.fixture
def players() -> tuple[Player, Player]:
    mine, other = Player(MINE), Player(OTHER)
    stage.begin([mine, other])
    return mine, other


def _node(kind: NodeKind, **attributes: int) -> Node:
    source = f"{module_name(MINE)}.py:3"
    return Node(f"{kind}:1", kind, "waiter", 0, source, wait=Wait("wait", 0, source), attributes=dict(attributes))


def _finding(node: Node, level: Level = Level.PROVEN) -> Finding:
    return Finding("deadlock:1", FindingKind.DEADLOCK, level, "stuck", 0, [node.id])


async def _about_a_task(oracle: Oracle, coroutine: Callable[[asyncio.Event], Any]) -> asyncio.Event:
    """A task that waits for the event was said to wait for ever; nobody else has it."""
    event = asyncio.Event()
    task = asyncio.create_task(coroutine(event))
    await asyncio.sleep(0)
    node = _node(NodeKind.TASK)
    oracle.look_begins()
    oracle.look_begins()
    oracle.meet({node.id: task})
    oracle.said([_finding(node)], {node.id: node}, time.monotonic_ns(), 1)
    return event


def test_a_task_that_went_on_and_is_gone_before_the_next_look_refutes(players: tuple[Player, Player]) -> None:
    oracle = Oracle()

    async def main() -> None:
        async def waiter(event: asyncio.Event) -> None:
            await event.wait()
            players[0].moved()

        event = await _about_a_task(oracle, waiter)
        event.set()
        for _ in range(3):
            await asyncio.sleep(0)
        gc.collect()
        oracle.check(2)

    asyncio.run(main())
    assert [(one.level, one.member, one.seeds, one.broken) for one in oracle.refuted] == [
        ("PROVEN", "waiter", (MINE,), False)
    ]


def _not_told(_loop: asyncio.AbstractEventLoop, _context: dict[str, Any]) -> None:
    """That a task was destroyed is what the test is about."""


def test_a_task_that_is_destroyed_while_it_waits_refutes_nobody(players: tuple[Player, Player]) -> None:
    oracle = Oracle()

    async def main() -> None:
        async def waiter(_: asyncio.Event) -> None:
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                players[0].moved()

        asyncio.get_running_loop().set_exception_handler(_not_told)
        await _about_a_task(oracle, waiter)
        gc.collect()
        oracle.check(2)

    asyncio.run(main())
    assert oracle.refuted == []


def _about_this_thread(oracle: Oracle, seen_ns: int) -> None:
    node = _node(NodeKind.THREAD, **{semconv.THREAD_ID: threading.get_ident()})
    oracle.said([_finding(node)], {node.id: node}, seen_ns, 1)


def test_who_moves_between_the_reading_and_the_saying_refutes(players: tuple[Player, Player]) -> None:
    oracle = Oracle()
    players[0].moved()
    oracle.look_begins()
    seen_ns = time.monotonic_ns()
    players[0].moved()
    _about_this_thread(oracle, seen_ns)
    oracle.check(2)
    assert [one.broken for one in oracle.refuted] == [False]


def test_what_was_there_when_it_was_read_is_no_move(players: tuple[Player, Player]) -> None:
    oracle = Oracle()
    players[0].moved()
    oracle.look_begins()
    _about_this_thread(oracle, time.monotonic_ns())
    oracle.check(2)
    assert oracle.refuted == []
    assert oracle.judged() == {"PROVEN": (1, 1), "LIKELY": (0, 0)}


@pytest.mark.parametrize(("breaker", "excused"), [(0, True), (1, False)])
def test_what_is_broken_in_another_program_excuses_nobody(
    players: tuple[Player, Player], breaker: int, excused: bool
) -> None:
    oracle = Oracle()
    oracle.look_begins()
    oracle.look_begins()
    _about_this_thread(oracle, time.monotonic_ns())
    players[breaker].stopping()
    players[0].moved()
    oracle.check(2)
    assert [one.broken for one in oracle.refuted] == [excused]


def test_a_signal_handler_that_raises_breaks_the_waits_of_its_program(players: tuple[Player, Player]) -> None:
    mine, other = players

    def gives_up() -> None:
        raise KeyError

    gives_up.__module__ = module_name(MINE)
    with pytest.raises(KeyError):
        interrupting(gives_up)
    assert (mine.breaks, other.breaks) == (1, 0)
    assert threading.get_ident() not in stage.interrupted
