# SPDX-License-Identifier: Apache-2.0
"""Words for kinds, levels and operations."""

from __future__ import annotations

from typing import Literal

from ..api import Node

Tone = Literal["red", "orange", "blue", "green", "gray"]

_KIND_WORDS = {"tx": "Channel", "rx": "Channel", "io": "I/O", "shm": "Shared memory"}
_FINDING_WORDS = {
    "deadlock": "DEADLOCK",
    "lock_starved": "LOCK HELD TOO LONG",
    "semaphore_starved": "SEMAPHORE EXHAUSTED",
    "channel_full": "CHANNEL FULL",
}
_LEVEL_TONES: dict[str, Tone] = {"PROVEN": "red", "LIKELY": "red", "SUSPECT": "orange", "SLOW": "blue"}
_LEVEL_MEANINGS = {
    "PROVEN": "only the members named here could end these waits, and none of them can",
    "LIKELY": "the same, but somebody unknown could still end a wait",
    "SUSPECT": "it has lasted long; nothing proves that it cannot go on",
    "SLOW": "long, but it makes progress",
}


def kind_word(kind: str) -> str:
    return _KIND_WORDS.get(kind, kind.replace("_", " ").capitalize())


def called(node: Node | None, node_id: str = "") -> str:
    """A node as one says it: tasks, threads and requests by name, resources with their kind before it."""
    if node is None:
        return node_id.partition(":")[0] or "somebody unknown"
    if node["kind"] in ("task", "thread", "request", "response"):
        return node["name"] or node["kind"]
    name, word = node["name"], kind_word(node["kind"])
    return name if name.lower().startswith(word.lower()) else f"{word} {name}".strip()


def is_channel(node: Node | None) -> bool:
    return node is not None and node["kind"] in ("tx", "rx")


def finding_word(kind: str) -> str:
    return _FINDING_WORDS.get(kind, kind.replace("_", " ").upper())


def tone(level: str | None) -> Tone:
    return _LEVEL_TONES.get(level or "", "gray")


def is_stuck(level: str) -> bool:
    """Whether the members are said not to go on; the other levels only say that it lasts."""
    return level in ("PROVEN", "LIKELY")


def level_meaning(level: str) -> str:
    return _LEVEL_MEANINGS.get(level, "")


def count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
