# SPDX-License-Identifier: Apache-2.0
"""Where a Python keeps its threads and its lock: from a table, or as it tells itself."""

from __future__ import annotations

import struct

import pytest

from peeps_otel.attach.interpreter_layout import LAYOUTS, Layout, layout
from peeps_otel.attach.refused import Refused


def told(version: tuple[int, int], *, free_threaded: int = 0, cookie: bytes = b"xdebugpy") -> bytes:
    """Each number is ten times its place, but those that are no offsets."""
    numbers = [10 * place for place in range(64)]
    numbers[1], numbers[2] = version[0] << 24 | version[1] << 16 | 0x2F0, free_threaded
    return cookie + struct.pack("<63Q", *numbers[1:])


def test_up_to_3_13_it_stands_in_a_table() -> None:
    assert layout((3, 12), b"anything") == LAYOUTS[3, 12]
    assert layout((3, 10), b"anything") is None
    assert layout((3, 16), told((3, 16))) is None


@pytest.mark.parametrize(
    ("version", "native_id", "error"), [((3, 14), 280, 260 + 40), ((3, 15), 310, 360)], ids=["3.14", "3.15"]
)
def test_from_3_14_on_it_tells_itself(version: tuple[int, int], native_id: int, error: int) -> None:
    assert layout(version, told(version)) == Layout(
        finalizing=40,
        main_interpreter=58,
        threads=90,
        native_id=native_id,
        error=error,
        gil_pointer=150,
        next_thread=240,
        holder=30,
        locked=20,
    )


@pytest.mark.parametrize(
    "numbers",
    [told((3, 14), cookie=b"anything"), told((3, 15)), told((3, 14), free_threaded=1), b""],
    ids=["another cookie", "another version", "without the lock", "nothing"],
)
def test_what_is_not_as_in_this_version_is_refused(numbers: bytes) -> None:
    with pytest.raises(Refused):
        layout((3, 14), numbers)
