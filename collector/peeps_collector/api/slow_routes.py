# SPDX-License-Identifier: Apache-2.0
"""GET /api/flame, /api/heat, /api/depths: charts of why something is slow, from the stored history."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from peeps_otel.diagnosis import blame, blame_formats
from peeps_otel.diagnosis.wording import kind_word, label
from peeps_otel.report.in_words import TELEMETRY

from ..graph.live import LiveGraph
from ..slow.curves import curve
from ..slow.flame import HOLDER, ONE_SIDED, RESOURCE, Box, Sample, flame
from ..slow.heat import BOUNDS_NS, Point, heat
from ..store.depth_history import Filled, fullest_in
from ..store.lag_history import lags_in
from ..store.reader import Reader
from ..store.thread_history import threads_in
from ..store.wait_history import waits_in
from ..store.window import Window
from .answers import ApiError, answer, whole_parameter
from .short_places import ShortPlaces
from .window import asked_of_history, window_of

_FLAMES = ("blame", "tasks", "threads", "cpu")
_HEATS = ("waits", "lag")
_STEPS = 120
_NO_STACK = "(no stack was taken)"
_BETWEEN = "(at work between two looks)"
_WHAT = {"semaphore": "in use", "executor": "queued"}


class SlowRoutes:
    """The endpoints; called on worker threads. What was received in the last second may not be stored yet."""

    def __init__(self, live: LiveGraph, reader: Reader) -> None:
        self._live = live
        self._reader = reader

    def flame(self, request: Request) -> Response:
        """`of`: `blame`: two-sided, waiters over those they waited for; `tasks`: where tasks waited; `threads`: where
        threads were, `cpu`: what of it used a processor."""
        of = _one_of(request, _FLAMES)
        most = whole_parameter(request, "limit", 400, 1, 5000)
        window = window_of(request)
        with asked_of_history():
            found = flame(self._samples(of, window), most)
        places = ShortPlaces(self._live)
        return answer(
            _told(window)
            | {
                "of": of,
                "total_ns": found.total_ns,
                "boxes": [_box(box, places) for box in found.boxes],
                "left_out": found.left_out,
            }
        )

    def _samples(self, of: str, window: Window) -> Iterable[Sample]:
        if of == "blame":
            return [_two_sided(one) for one in blame.charge(waits_in(self._reader, window))]
        if of == "tasks":
            waits = [one for one in waits_in(self._reader, window) if not one.waiter.startswith("thread:")]
            return [_of_task(one) for one in waits]
        if of == "threads":
            return [_one_sided(one.stack or (_NO_STACK,), one.ns) for one in threads_in(self._reader, window)]
        return [_one_sided(one.at_work or (_BETWEEN,), one.cpu_ns) for one in threads_in(self._reader, window)]

    def heat(self, request: Request) -> Response:
        """`of`: `waits`: how long they took, at their end; `lag`: the longest lags of event loops."""
        of = _one_of(request, _HEATS)
        window = window_of(request)
        with asked_of_history():
            points = lags_in(self._reader, window) if of == "lag" else self._waits(window)
        step_ns = _step(window)
        cells = heat(points, window.since_ns, step_ns, _STEPS)
        return answer(
            _told(window)
            | {
                "of": of,
                "step_ns": step_ns,
                "steps": _STEPS,
                "bounds_ns": list(BOUNDS_NS),
                "cells": [cell._asdict() for cell in cells],
            }
        )

    def _waits(self, window: Window) -> list[Point]:
        places = ShortPlaces(self._live)
        waits = [one for one in waits_in(self._reader, window) if not TELEMETRY.match(one.site.removeprefix("in "))]
        known: dict[str, str] = {}
        for one in waits:
            if one.site not in known:
                known[one.site] = places.short(one.site)
        return [Point(one.ended_ns, one.ended_ns - one.began_ns, known[one.site]) for one in waits]

    def depths(self, request: Request) -> Response:
        """The fullest first: a curve of each, the most of each step of time."""
        offset = whole_parameter(request, "offset", 0, 0, 1_000_000)
        limit = whole_parameter(request, "limit", 12, 1, 100)
        window = window_of(request)
        with asked_of_history():
            filled, total = fullest_in(self._reader, window, offset, limit)
        step_ns = _step(window)
        places = ShortPlaces(self._live)
        curves = [_curve(one, window, step_ns, places) for one in filled]
        return answer(_told(window) | {"step_ns": step_ns, "steps": _STEPS, "total": total, "curves": curves})


def _told(window: Window) -> dict[str, Any]:
    return {"since_ns": window.since_ns, "until_ns": window.until_ns}


def _step(window: Window) -> int:
    return max(-(-(window.until_ns - window.since_ns) // _STEPS), 1)


def _one_of(request: Request, allowed: tuple[str, ...]) -> str:
    text = request.query_params.get("of", allowed[0])
    if text not in allowed:
        raise ApiError(400, "of", f"of={text[:40]!r} is none of {', '.join(allowed)}")
    return text


def _one_sided(stack: tuple[str, ...], ns: int) -> Sample:
    return Sample(tuple((text, ONE_SIDED) for text in stack), ns)


def _two_sided(one: blame.Charge) -> Sample:
    waiter = [*one.waiter_stack] or [one.waiter_site]
    holder = [*reversed(one.holder_stack)] or [one.holder_site]
    frames = [(text, ONE_SIDED) for text in waiter]
    frames += [(f"[{one.resource or 'waits'}]", RESOURCE), *((text, HOLDER) for text in holder)]
    return Sample(tuple(frames), one.ns)


def _of_task(one: blame.Wait) -> Sample:
    stack = one.stack or (one.site or _NO_STACK,)
    frames = (*((text, ONE_SIDED) for text in stack), (f"[{one.resource or 'waits'}]", RESOURCE))
    return Sample(frames, one.ended_ns - one.began_ns)


def _box(box: Box, places: ShortPlaces) -> dict[str, Any]:
    """`place` and `short` are empty where a frame names no line."""
    name, file, line = blame_formats.parts(box.text)
    place = f"{file}:{line}" if file and line else file
    told = box._asdict() | {"place": place, "short": places.short(place) if place else ""}
    told["text"] = told["short"] if name == place else name
    return told


def _curve(one: Filled, window: Window, step_ns: int, places: ShortPlaces) -> dict[str, Any]:
    return {
        "node": one.node.id,
        "process": one.process,
        "kind_word": kind_word(one.node.kind),
        "label": label(one.node),
        "short": places.short(one.node.source),
        "what": _WHAT.get(one.node.kind, "items"),
        "capacity": one.capacity,
        "most": one.most,
        "values": curve(one.levels, window.since_ns, step_ns, _STEPS),
    }
