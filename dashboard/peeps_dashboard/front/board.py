# SPDX-License-Identifier: Apache-2.0
"""The newest verdict as HTML, one look at the collector for all who ask within half a second."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

from ..client import Collector, CollectorError
from ..ended import over
from ..view import ages, card, card_html
from ..view.card import Card
from ..view.editor import Editor

_KEPT_S = 0.5
_PATIENCE_S = 0.15  # a page never waits longer than this for the collector
_ADDRESSES_MOST = 64


class Board:
    """On one event loop. `collector` is asked on a thread."""

    def __init__(self, collector: Collector, editor: Editor, clock: Callable[[], float] = time.monotonic) -> None:
        self._collector = collector
        self._editor = editor
        self._clock = clock
        self._kept: dict[str, tuple[float, str]] = {}
        self._running: dict[str, asyncio.Task[str]] = {}
        self._last: dict[str, tuple[Card, int]] = {}

    async def card(self, finding: str, at: str = "") -> str:
        """The card of the finding with this id, else of the worst one, of the moment `at`, else of now. Never raises,
        never waits for long."""
        key = f"{finding} {at}"
        kept = self._kept.get(key)
        if kept is not None and self._clock() - kept[0] < _KEPT_S:
            return kept[1]
        running = self._running.get(key)
        if running is None or running.done():
            running = self._running[key] = asyncio.create_task(self._refresh(key, finding, at))
        try:  # shielded: who came first and gave up must not stop the look for the others
            return await asyncio.wait_for(asyncio.shield(running), _PATIENCE_S)
        except TimeoutError:
            return kept[1] if kept is not None else card_html.of_card(_ASKING, self._editor)

    async def _refresh(self, key: str, finding: str, at: str) -> str:
        text = card_html.of_card(await asyncio.to_thread(self._look, key, finding, at), self._editor)
        for known in (self._kept, self._running, self._last):
            if len(known) > _ADDRESSES_MOST:
                known.clear()
        self._kept[key] = (self._clock(), text)
        return text

    def _look(self, key: str, finding: str, at: str) -> Card:
        """Where the collector does not answer, the last verdict with its time, if there was one."""
        asked = replace(self._collector, at=at) if at else self._collector
        try:
            answer, known = asked.findings(), self._collector.processes()["processes"]
        except CollectorError as error:
            said = card.unreachable(error.address, error.message, error.trouble)
            last = self._last.get(key)
            if last is None:
                return said
            before, at_ns = last
            note = f"{said.lead}: {said.rest} This is the last verdict, of {ages.clock(at_ns)}."
            return replace(before, tone="gray", unknown=note, fresh="")
        shown = card.of_answer(answer, known, finding or None, over(self._collector, answer, finding))
        self._last[key] = shown, answer["now_ns"]
        return shown


_ASKING = Card("gray", "Asking the collector", "…")
