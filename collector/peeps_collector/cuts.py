# SPDX-License-Identifier: Apache-2.0
"""Cuts: one complete snapshot of every process for one request, and who did not answer."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from .graph.process import Process
from .requests_out import CUT, PendingRequest, ProcessRequests

OVER_S = 5.0
_MOST = 100


class Answer(StrEnum):
    """How far a process has come with its part. ANSWERED: its snapshot is in the graph."""

    WAITING = "waiting"
    TOLD = "told"
    ANSWERED = "answered"
    NOT_ANSWERED = "not_answered"


class Part(NamedTuple):
    """What one process has done for a cut. `heard`: it was told. The last three: None before it has answered."""

    process: str
    answer: Answer
    heard: bool
    stream: str | None
    sequence: int | None
    time_ns: int | None


@dataclass(slots=True)
class Cut:
    """`asked_s`: of the monotonic clock; `requests`: those to the processes. `parts`: as they were when it was over."""

    id: str
    asked_ns: int
    asked_s: float
    requests: tuple[PendingRequest, ...]
    parts: tuple[Part, ...] = field(default=())


class Cuts:
    """Thread-safe. The last 100 are remembered."""

    def __init__(self, requests: ProcessRequests) -> None:
        self._requests = requests
        self._cuts: OrderedDict[str, Cut] = OrderedDict()
        self._lock = threading.Lock()

    def begin(self, processes: Iterable[str]) -> Cut:
        """Asks these processes."""
        asked = tuple(self._requests.ask(CUT, process) for process in processes)
        cut = Cut(secrets.token_hex(8), time.time_ns(), time.monotonic(), asked)
        with self._lock:
            self._cuts[cut.id] = cut
            while len(self._cuts) > _MOST:
                self._cuts.popitem(last=False)
        return cut

    def find(self, cut: str) -> Cut | None:
        with self._lock:
            return self._cuts.get(cut)

    def parts(self, cut: Cut, processes: Mapping[str, Process]) -> tuple[Part, ...]:
        """How far each is. Once the cut is over, it stays as it was then."""
        if cut.parts:
            return cut.parts
        over = time.monotonic() - cut.asked_s >= OVER_S
        parts = tuple(_part(request, processes.get(request.process), over) for request in cut.requests)
        if over or all(part.answer is Answer.ANSWERED for part in parts):
            cut.parts = parts
        return parts


def _part(request: PendingRequest, process: Process | None, over: bool) -> Part:
    said, heard = request.answer, request.told_s is not None
    if said is not None and process is not None and _is_here(process, said["stream"], said["sequence"]):
        return Part(request.process, Answer.ANSWERED, heard, said["stream"], said["sequence"], said["time_ns"])
    answer = Answer.NOT_ANSWERED if over else Answer.TOLD if heard else Answer.WAITING
    return Part(request.process, answer, heard, None, None, None)


def _is_here(process: Process, stream: str, sequence: int) -> bool:
    """Whether the graph is at this snapshot or beyond: the answer may come before it."""
    stream_id = int(stream, 16)
    if process.stream_id != stream_id:
        return stream_id in process.past_streams
    return process.sequence >= sequence and not process.needs_key_frame
