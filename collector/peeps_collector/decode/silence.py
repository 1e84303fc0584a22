# SPDX-License-Identifier: Apache-2.0
"""What the sidecar of a program says of it: `peeps.stacks`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from peeps_otel import semconv
from peeps_otel.model import Frame

from .canonical import Rejected, stack_of
from .values import whole


@dataclass(frozen=True, slots=True)
class SilenceRecord:
    """A program is silent, speaks again (`until_ns`), or ended without a goodbye (`state` is `defunct`).

    `title`: one sentence in plain words. `place`: `path:line` of the innermost own frame of the thread to look at,
    empty where it has none, and `stack` its frames, outermost first; empty where no stacks could be had. Times are the
    program's clock.
    """

    state: str
    title: str
    place: str
    stack: tuple[Frame, ...]
    since_ns: int
    until_ns: int | None
    time_ns: int

    @property
    def ended(self) -> bool:
        return self.state == "defunct"


def silence_of(attributes: dict[str, Any], body: Any, time_ns: int) -> SilenceRecord:
    """Raises Rejected."""
    since_ns = whole(attributes.get(semconv.SILENT_SINCE))
    if since_ns is None:
        raise Rejected(f"{semconv.SILENT_SINCE} is missing or no whole number; set it to Unix time in nanoseconds")
    if not isinstance(body, str) or not body:
        raise Rejected("the body is not text; its first line must say what is wrong")
    file, line = attributes.get(semconv.CODE_FILE_PATH), whole(attributes.get(semconv.CODE_LINE_NUMBER))
    return SilenceRecord(
        state=str(attributes.get(semconv.PROCESS_STATE, "")),
        title=body.partition("\n")[0],
        place=f"{file}:{line}" if isinstance(file, str) and line is not None else "",
        stack=stack_of(attributes),
        since_ns=since_ns,
        until_ns=whole(attributes.get(semconv.SILENT_UNTIL)),
        time_ns=time_ns,
    )
