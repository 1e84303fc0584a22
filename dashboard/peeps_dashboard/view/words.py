# SPDX-License-Identifier: Apache-2.0
"""Colours of levels, counts, and what the API says of a node. The words for things are the API's."""

from __future__ import annotations

from typing import Literal

from ..api import Node

Tone = Literal["red", "orange", "blue", "green", "gray"]

_LEVEL_TONES: dict[str, Tone] = {"PROVEN": "red", "LIKELY": "red", "SUSPECT": "orange", "SLOW": "blue"}


def label_of(node: Node | None, node_id: str = "") -> str:
    """The label of a node; where it is gone, its id."""
    return node_id or "somebody unknown" if node is None else node["label"]


def is_channel(node: Node | None) -> bool:
    return node is not None and node["kind"] in ("tx", "rx")


def tone(level: str | None) -> Tone:
    return _LEVEL_TONES.get(level or "", "gray")


def is_stuck(level: str) -> bool:
    """Whether the members are said not to go on; the other levels only say that it lasts."""
    return level in ("PROVEN", "LIKELY")


def count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
