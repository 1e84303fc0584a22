# SPDX-License-Identifier: Apache-2.0
"""The picture of the heap: what it says of references is what the garbage collector says, and one serves a question."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections import Counter
from typing import Any

import pytest

from peeps_otel.model import NodeKind
from peeps_otel.probes.heap import question
from peeps_otel.probes.heap.ender import Thing
from peeps_otel.probes.heap.picture import Picture
from peeps_otel.probes.heap.wakers import WAKERS

pytestmark = pytest.mark.skipif(not hasattr(gc, "get_referents"), reason="CPython")


class Box:
    def __init__(self, content: object) -> None:
        self.content = content


def test_referrers_and_what_nothing_explains() -> None:
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


def test_a_question_walks_the_heap_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who could end the wait, and which tasks are lost: both of one picture."""
    asyncio.run(_asks(monkeypatch))


async def _asks(monkeypatch: pytest.MonkeyPatch) -> None:
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
    monkeypatch.setattr(gc, "get_referents", counted)
    try:
        answer = question.ask_copy([thing], [])
    finally:
        monkeypatch.undo()
        gc.enable()
    task.cancel()
    assert (answer.not_asked, answer.leaks.blocked >= 1) == ("", True)
    assert walked[0] < 1.1 * answer.leaks.objects
