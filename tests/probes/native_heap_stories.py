# SPDX-License-Identifier: Apache-2.0
"""What is asked of the heap once with C and once without it. Each story runs in a process of its own: the heap of a
process that runs tests is ten times as large, and all of it is walked through."""

from __future__ import annotations

import asyncio
import ctypes
from typing import NoReturn

from peeps_otel.model import NodeKind
from peeps_otel.probes.heap import leaks, native_reader, question
from peeps_otel.probes.heap.answer import Answer
from peeps_otel.probes.heap.ender import Thing
from peeps_otel.probes.heap.wakers import WAKERS


class _Told:
    """What is said of one event that a task waits for, and of the tasks that are lost."""

    def __init__(self, answer: Answer) -> None:
        self.enders = [[(one.key.kind, one.strength, one.name) for one in found] for found in answer.enders]
        self.rest = (len(answer.leaks.lost), answer.leaks.blocked, answer.acting, answer.nobodys)
        self.not_asked = answer.not_asked


async def _asked() -> _Told:
    async def waits(event: asyncio.Event) -> None:
        await event.wait()

    async def sets(event: asyncio.Event) -> None:
        await asyncio.sleep(100)
        event.set()

    event = asyncio.Event()
    tasks = [asyncio.create_task(waits(event), name="waits"), asyncio.create_task(sets(event), name="sets")]
    await asyncio.sleep(0)
    thing = Thing((id(event),), "Event", WAKERS[NodeKind.EVENT], name="")
    del event
    answer = await asyncio.to_thread(question.ask, [thing], [])
    for task in tasks:
        task.cancel()
    return _Told(answer)


_given_up = native_reader._given_up  # pyright: ignore[reportPrivateUsage]  the reasons, which it only logs


def _reads_by(reader: object) -> None:
    native_reader.reader = lambda: reader  # in the place of C


def answered_alike() -> None:
    with_it = asyncio.run(_asked())
    assert (_given_up, with_it.not_asked) == ([], "")
    native_reader.switch_off()
    without = asyncio.run(_asked())
    assert (with_it.enders, with_it.rest) == (without.enders, without.rest), (vars(with_it), vars(without))
    assert any(kind == "task" for kind, _, _ in without.enders[0])


def _raises(*_: object) -> NoReturn:
    raise MemoryError("no room")


def _crashes(*_: object) -> NoReturn:
    ctypes.string_at(0)
    raise AssertionError


def fails() -> None:
    _reads_by(_raises)
    told = asyncio.run(_asked())
    assert (told.not_asked, len(told.enders)) == ("", 1)
    assert _given_up == ["MemoryError: no room"]
    assert leaks.check().not_run == ""


def crashes() -> None:
    own = native_reader.reader
    _reads_by(_crashes)
    told = asyncio.run(_asked())
    assert "the copy of the process died" in told.not_asked, told.not_asked
    native_reader.reader = own
    assert (len(_given_up), native_reader.reader()) == (1, None)
    assert asyncio.run(_asked()).not_asked == ""
