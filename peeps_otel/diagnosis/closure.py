# SPDX-License-Identifier: Apache-2.0
"""All that is reached from some nodes along a relation."""

from __future__ import annotations

from collections.abc import Callable, Iterable


def no_pause() -> None:
    """For a caller that has the processor to itself."""


def closure(
    first: Iterable[str], onward: Callable[[str], Iterable[str]], pause: Callable[[], None] = no_pause
) -> set[str]:
    """Those, and all to which `onward` leads from one of them; it is asked once for each. Linear in what it answers.
    `pause` is called in between."""
    found = set(first)
    work = list(found)
    while work:
        pause()
        for one in onward(work.pop()):
            if one not in found:
                found.add(one)
                work.append(one)
    return found
