# SPDX-License-Identifier: Apache-2.0
"""What a snapshot's `coverage` says, told apart: parts that are merely missing, and what cannot be judged at all."""

from __future__ import annotations

from collections.abc import Iterable

_BLIND = "blind: "


def blind(note: str) -> str:
    """A coverage line for something that could be stuck unseen: while it stands, nobody may say that nothing is."""
    return _BLIND + note


def cannot_judge(coverage: Iterable[str]) -> list[str]:
    """The notes among these lines that forbid the sentence "nothing is stuck", in plain words."""
    return [line.removeprefix(_BLIND) for line in coverage if line.startswith(_BLIND)]
