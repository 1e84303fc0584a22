# SPDX-License-Identifier: Apache-2.0
"""Curves of how full channels, pools and queues were, as polygons in parts of width and height."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..api import Curve, Depths


@dataclass(frozen=True)
class Drawn:
    """`corners`: x from the left, y from above, 0 to 1. `is_full`: it reached its bound."""

    node: str
    label: str
    where: str
    says: str
    is_full: bool
    corners: Sequence[tuple[float, float]]


def of_answer(answer: Depths, names: dict[str, str]) -> list[Drawn]:
    return [_drawn(one, names) for one in answer["curves"]]


def _drawn(one: Curve, names: dict[str, str]) -> Drawn:
    capacity, most = one["capacity"], one["most"]
    full = capacity is not None and most >= capacity
    bound = "no bound" if capacity is None else f"room for {capacity:,}"
    if one["what"] == "in use":
        bound = "" if capacity is None else f"of {capacity:,}"
    steps = [value for value in one["values"] if value is not None]
    times = sum(1 for value in steps if capacity is not None and value >= capacity)
    says = f"at most {most:,} {one['what']}" + (f" {bound}" if one["what"] == "in use" else f", {bound}")
    if full and steps:
        says += f"; full {times / len(steps):.0%} of the time".replace("%", " %")
    top = max(capacity or 0, most, 1)
    process = names.get(one["process"], one["process"])
    return Drawn(one["node"], one["label"], f"{one['short']} in {process}", says, full, _corners(one["values"], top))


def _corners(values: Sequence[int | None], top: int) -> list[tuple[float, float]]:
    """Steps, not slopes: what was between two looks is not known."""
    width = 1 / max(len(values), 1)
    corners = [(0.0, 1.0)]
    for step, value in enumerate(values):
        height = 1 - (value or 0) / top
        corners += [(step * width, height), ((step + 1) * width, height)]
    return [*corners, (1.0, 1.0)]
