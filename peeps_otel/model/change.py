# SPDX-License-Identifier: Apache-2.0
"""One thing that watching changes in the watched process."""

from __future__ import annotations

from typing import NamedTuple


class Change(NamedTuple):
    """A row of `docs/what-we-touch.md`. Every module that changes something declares its rows as `CHANGES`.

    `target`: what is replaced, added or started. `what`: how. `when`: from when on. `undone`: by what, and what stays.
    `switch`: the setting without which it does not happen, with the value that matters.
    """

    target: str
    what: str
    when: str
    undone: str
    switch: str
