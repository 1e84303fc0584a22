# SPDX-License-Identifier: Apache-2.0
"""Python text as lists of lines."""

from __future__ import annotations

Lines = list[str]


def indented(lines: Lines) -> Lines:
    return [f"    {line}" if line else "" for line in lines]


def block(head: str, body: Lines) -> Lines:
    return [head, *indented(body or ["pass"])]


def step(line: str) -> Lines:
    """A statement after which the one who ran it has gone on."""
    return [line, "moved()"]


def seconds(milliseconds: int) -> str:
    return f"{milliseconds / 1000:g}"
