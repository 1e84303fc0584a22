# SPDX-License-Identifier: Apache-2.0
"""Durations and the verdict, in words: for the server and for the commands, so it loads nothing of either."""

from __future__ import annotations

from typing import Any

from peeps_otel.model import own_line


def duration(ns: int) -> str:
    """`350 ms`, `43 s`, `3 min 5 s`, `2 h 3 min`, `4 d 1 h`; never negative."""
    milliseconds = max(ns, 0) // 1_000_000
    if milliseconds < 1000:
        return f"{milliseconds} ms"
    seconds = milliseconds // 1000
    if seconds < 60:
        return f"{seconds} s"
    for big, small, factor, divisor in (("min", "s", 60, 1), ("h", "min", 3600, 60), ("d", "h", 86_400, 3600)):
        rest = seconds % factor // divisor
        if big == "d" or seconds < {"min": 3600, "h": 86_400}[big]:
            return f"{seconds // factor} {big} {rest} {small}" if rest else f"{seconds // factor} {big}"
    raise AssertionError


def stuck_sentence(finding: dict[str, Any]) -> str:
    """`DEADLOCK, PROVEN, 43 s: worker-a waits for …`. `finding`: as the API tells it, in words."""
    return f"{finding['headline']}: {finding['title']}{alike(finding.get('count', 1))}"


def alike(count: int) -> str:
    """What follows the title of a finding that stands for `count` of its kind: ` (and 999 alike)`."""
    return f" (and {count - 1:,} alike)" if count > 1 else ""


def cannot_judge_sentence(notes: list[tuple[str, str]]) -> str:
    """`Cannot judge: in shop (pid 7) gevent has replaced …`. `notes`: process and what is not seen of it."""
    return f"Cannot judge: {'; '.join(f'{name}: {note}' for name, note in notes)}."


def calm_sentence(tasks: int, longest: tuple[dict[str, Any], int] | None, not_answered: int) -> str:
    """`Nothing is stuck: 12 tasks, the longest wait is 3 s (sleep at app.py:10).`"""
    what = "no tasks" if not tasks else "1 task" if tasks == 1 else f"{tasks:,} tasks"
    if longest is None:
        evidence = f"{what}, none waits" if tasks else what
    else:
        node, age_ns = longest
        wait = node["wait"]
        at = " at " if own_line.is_line(wait["source"]) else " "
        where = f"{at}{wait['short']}" if wait["short"] else ""
        evidence = f"{what}, the longest wait is {duration(age_ns)} ({wait['operation']}{where})"
    missing = (
        ""
        if not not_answered
        else f" {'1 process' if not_answered == 1 else f'{not_answered} processes'} did not answer."
    )
    return f"Nothing is stuck: {evidence}.{missing}"
