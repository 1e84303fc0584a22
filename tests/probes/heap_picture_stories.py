# SPDX-License-Identifier: Apache-2.0
"""What is asked of a picture of the heap. Each story runs in a process of its own: the heap of a process that runs
tests is ten times as large."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections import Counter
from typing import Any

from peeps_otel.model import NodeKind
from peeps_otel.probes.heap import question
from peeps_otel.probes.heap.ender import Thing
from peeps_otel.probes.heap.picture import Picture
from peeps_otel.probes.heap.wakers import WAKERS


class Box:
    def __init__(self, content: object) -> None:
        self.content = content


def referrers_and_what_nothing_explains() -> None:
    lock = threading.Lock()  # of no interest to the collector: known by its references alone
    inner = Box(lock)
    outer = [inner, inner]
    only_here = Box(None)
    held = [only_here]
    del only_here
    picture = Picture(lambda: None)
    address = picture.address

    def sources(target: int) -> Counter[int]:
        return Counter(address(place) for place, _ in picture.referrers({target}))

    assert sources(id(inner))[id(outer)] == 2
    assert sources(id(lock))[id(vars(inner))] + sources(id(lock))[id(inner)] == 1
    assert list(picture.onward_from(picture.positions({id(held)})[id(held)])) == [picture.place(id(held[0]))]
    unexplained = set(map(address, picture.unexplained()))
    assert (id(outer) in unexplained, id(held[0]) in unexplained) == (True, False)  # a local variable, a list


def walks_the_heap_once() -> None:
    asyncio.run(_asks())


async def _asks() -> None:
    walked: list[int] = [0]
    get_referents = gc.get_referents

    def counted(*things: Any) -> list[Any]:
        walked[0] += len(things)
        return get_referents(*things)

    async def waits(event: asyncio.Event) -> None:
        await event.wait()

    event = asyncio.Event()
    task = asyncio.create_task(waits(event))
    await asyncio.sleep(0)
    thing = Thing((id(event),), "Event", WAKERS[NodeKind.EVENT], name="")
    del event
    gc.collect()
    gc.disable()
    gc.get_referents = counted
    answer = question.ask_copy([thing], [])
    gc.get_referents = get_referents
    task.cancel()
    assert (answer.not_asked, answer.leaks.blocked >= 1) == ("", True)
    assert walked[0] < 1.1 * answer.leaks.objects
