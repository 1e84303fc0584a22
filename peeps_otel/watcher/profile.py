# SPDX-License-Identifier: Apache-2.0
"""Where threads and tasks spend their time: sampled stacks, added up.

A sampler sees what takes long. With the interpreter's switch interval of 5 ms it gets its turn only when a running
thread gives way, so steps shorter than that are seen far too seldom: these are no timings of short functions.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from types import CodeType

from ..model import Frame
from ..probes.source import own_code, source_text

Key = tuple[int, ...]
"""A stack as numbers, innermost first: identity of the code and position in it, in turns."""


class Stack:
    """One distinct stack. Keeps its code objects, so that the identities in its key stay what they are; no frames."""

    __slots__ = ("_frames", "codes", "key", "positions")

    def __init__(self, key: Key, codes: Iterable[CodeType]) -> None:
        self.key = key
        self.codes = tuple(codes)
        """Outermost first."""
        self.positions = key[::-2]
        self._frames: tuple[Frame, ...] | None = None

    def frames(self) -> tuple[Frame, ...]:
        """Outermost first, with lines; always the same object."""
        if self._frames is None:
            self._frames = tuple(
                own_code.frame(code, source_text.line_of(code, position))
                for code, position in zip(self.codes, self.positions, strict=True)
            )
        return self._frames


class Row:
    """What was seen of one stack in one place. `on_cpu`: samples that found it using a processor since the last."""

    __slots__ = ("cpu_ns", "on_cpu", "owner", "samples", "stack", "task")

    def __init__(self, owner: str, task: str, stack: Stack) -> None:
        self.owner = owner
        self.task = task
        self.stack = stack
        self.samples = self.on_cpu = self.cpu_ns = 0


class Profile:
    """At most `most` distinct rows: beyond, the rare half goes, and is counted in `overflow`.

    `add` is called from one thread; the rest from any.
    """

    def __init__(self, most: int = 2000) -> None:
        self._most = most
        self._rows: dict[tuple[str, str, Key], Row] = {}
        self._stacks: dict[Key, Stack] = {}
        self.overflow = 0
        """Samples whose stacks are no longer told apart."""

    def stack(self, key: Key, codes: list[CodeType]) -> Stack:
        """The one object for this stack. `codes`: innermost first, as in the key."""
        found = self._stacks.get(key)
        if found is None:
            if len(self._stacks) >= 2 * self._most:
                self._stacks = {row.stack.key: row.stack for row in self._rows.values()}
            found = self._stacks[key] = Stack(key, reversed(codes))
        return found

    def add(self, owner: str, task: str, stack: Stack, on_cpu: bool, cpu_ns: int) -> Row:
        """One more sample. `task`: what the thread's event loop was executing, or empty."""
        row = self._rows.get((owner, task, stack.key))
        if row is None:
            if len(self._rows) >= self._most:
                self._forget_the_rare()
            row = self._rows[owner, task, stack.key] = Row(owner, task, stack)
        row.samples += 1
        row.on_cpu += on_cpu
        row.cpu_ns += cpu_ns
        return row

    def _forget_the_rare(self) -> None:
        rows = sorted(self._rows.items(), key=lambda item: item[1].samples)
        half = len(rows) // 2
        self.overflow += sum(row.samples for _, row in rows[:half])
        self._rows = dict(rows[half:])

    def rows(self) -> list[Row]:
        return list(self._rows.values())

    def dominant(self, owner: str) -> Row | None:
        """The most frequent stack of one thread, of those that used a processor if any did."""
        rows = [row for row in self.rows() if row.owner == owner]
        return max(rows, key=lambda row: (row.on_cpu, row.samples), default=None)

    def folded(self, on_cpu_only: bool = False) -> str:
        """For `flamegraph.pl`, speedscope, inferno: `thread;task;outermost;…;innermost count`, a line each."""
        lines: Counter[str] = Counter()
        for row in self.rows():
            count = row.on_cpu if on_cpu_only else row.samples
            if count:
                lines[";".join(_path(row))] += count
        if self.overflow and not on_cpu_only:
            lines["(other stacks)"] += self.overflow
        return "".join(f"{path} {count}\n" for path, count in sorted(lines.items()))

    def speedscope(self, name: str, period_s: float) -> str:
        """A file for https://www.speedscope.app: one profile per thread, each sample weighing `period_s` seconds."""
        frames: dict[Frame, int] = {}
        profiles: list[dict[str, object]] = []
        rows = self.rows()
        for owner in sorted({row.owner for row in rows}):
            samples: list[list[int]] = []
            weights: list[float] = []
            for row in rows:
                if row.owner == owner:
                    root = [Frame(f"task {row.task}", "", None)] if row.task else []
                    samples.append([frames.setdefault(f, len(frames)) for f in (*root, *row.stack.frames())])
                    weights.append(row.samples * period_s)
            profiles.append(
                {
                    "type": "sampled",
                    "name": owner,
                    "unit": "seconds",
                    "startValue": 0,
                    "endValue": sum(weights),
                    "samples": samples,
                    "weights": weights,
                }
            )
        document = {
            "$schema": "https://www.speedscope.app/file-format-schema.json",
            "name": name,
            "exporter": "peeps-otel",
            "shared": {"frames": [_speedscope_frame(frame) for frame in frames]},
            "profiles": profiles,
        }
        return json.dumps(document)


def _path(row: Row) -> Iterable[str]:
    parts = [row.owner, *([f"task {row.task}"] if row.task else [])]
    parts += [f"{frame.function} ({frame.file}:{frame.line})" for frame in row.stack.frames()]
    return [part.replace(";", ":").replace("\n", " ") for part in parts]


def _speedscope_frame(frame: Frame) -> dict[str, object]:
    told: dict[str, object] = {"name": frame.function}
    if frame.file:
        told["file"] = frame.file
    if frame.line is not None:
        told["line"] = frame.line
    return told
