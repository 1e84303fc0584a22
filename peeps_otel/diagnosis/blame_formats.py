# SPDX-License-Identifier: Apache-2.0
"""The blame profile as files that other tools open: folded stacks, speedscope, pprof.

All are two-sided: the waiter's stack, outermost first, then what it waited for, then the stack of the one to blame
turned over, so that the line where it stood meets the line that waited.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Sequence
from typing import Any

from .blame import Charge

_SCHEMA = "https://www.speedscope.app/file-format-schema.json"


def frames(one: Charge) -> list[str]:
    """Root first."""
    waiter = [*one.waiter_stack] or [one.waiter_site]
    holder = [*reversed(one.holder_stack)] or [one.holder_site]
    return [*waiter, f"[{one.resource or 'waits'}]", *holder]


def folded(charges: Iterable[Charge]) -> str:
    """One line a stack with its microseconds: for flamegraph.pl, inferno and speedscope."""
    lines: list[str] = []
    for one in charges:
        stack = ";".join(frame.replace(";", ",").replace("\n", " ") for frame in frames(one))
        lines.append(f"{stack} {max(1, one.ns // 1000)}\n")
    return "".join(lines)


def speedscope(charges: Sequence[Charge], name: str) -> str:
    """A sampled profile in nanoseconds, as JSON."""
    numbers: dict[str, int] = {}
    samples = [[numbers.setdefault(frame, len(numbers)) for frame in frames(one)] for one in charges]
    document: dict[str, Any] = {
        "$schema": _SCHEMA,
        "exporter": "peeps",
        "name": name,
        "activeProfileIndex": 0,
        "shared": {"frames": [_speedscope_frame(frame) for frame in numbers]},
        "profiles": [
            {
                "type": "sampled",
                "name": name,
                "unit": "nanoseconds",
                "startValue": 0,
                "endValue": sum(one.ns for one in charges),
                "samples": samples,
                "weights": [one.ns for one in charges],
            }
        ],
    }
    return json.dumps(document)


def _speedscope_frame(frame: str) -> dict[str, Any]:
    name, file, line = parts(frame)
    found: dict[str, Any] = {"name": frame if not file else name}
    if file:
        found["file"] = file
    if line:
        found["line"] = line
    return found


def parts(frame: str) -> tuple[str, str, int]:
    """Function, file and line of `function (path:line)` or `path:line`; what is missing is empty or 0."""
    name, opened, rest = frame.partition(" (")
    place = rest.removesuffix(")") if opened else frame
    file, colon, line = place.rpartition(":")
    if not colon or not line.isdigit():
        return frame, "", 0
    return (name if opened else frame), file, int(line)


def pprof(charges: Sequence[Charge], time_ns: int, duration_ns: int) -> bytes:
    """A gzipped `perftools.profiles.Profile` with the values waits/count and delay/nanoseconds."""
    strings: dict[str, int] = {"": 0}

    def text(value: str) -> int:
        return strings.setdefault(value, len(strings))

    out = bytearray()
    for kind, unit in (("waits", "count"), ("delay", "nanoseconds")):
        out += _message(1, _number(1, text(kind)) + _number(2, text(unit)))
    numbers: dict[str, int] = {}
    for one in charges:
        # Leaf first.
        locations = [numbers.setdefault(frame, len(numbers) + 1) for frame in reversed(frames(one))]
        out += _message(2, _packed(1, locations) + _packed(2, [one.waits, one.ns]))
    for frame, number in numbers.items():
        name, file, line = parts(frame)
        out += _message(4, _number(1, number) + _message(4, _number(1, number) + _number(2, line)))
        out += _message(5, _number(1, number) + _number(2, text(name)) + _number(4, text(file)))
    default = text("delay")
    for value in strings:
        out += _bytes(6, value.encode())
    out += _number(9, time_ns) + _number(10, duration_ns) + _number(14, default)
    return gzip.compress(bytes(out), mtime=0)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value) if value else b""


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _message(field: int, content: bytes) -> bytes:
    return _bytes(field, content)


def _packed(field: int, values: Iterable[int]) -> bytes:
    return _bytes(field, b"".join(map(_varint, values)))
