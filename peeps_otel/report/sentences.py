# SPDX-License-Identifier: Apache-2.0
"""Durations and the verdict, in words. Loads next to nothing: the commands must be light."""

from __future__ import annotations

from typing import Any, NamedTuple

from .. import semconv
from ..model import own_line

_LONG_NS = 15_000_000_000  # a call or a standstill that is worth a word


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


def verdict_sentence(worst: dict[str, Any] | None, count: int, blind: list[tuple[str, str]], calm: Calm) -> str:
    """The verdict in one line. `worst`: of `count` findings, in words; None where there is none. `blind`: process and
    what is not seen of it."""
    if worst is not None:
        return stuck_sentence(worst) + (f" (and {count - 1} more)" if count > 1 else "")
    return cannot_judge_sentence(blind) if blind else calm_sentence(calm)


class Calm(NamedTuple):
    """What there is where nothing is found. `longest`: the node that has waited longest, in words, and for how long;
    `call`: the same of a call of C code. `still_ns`: for how long nobody has gone on. `unjudged`: the longest wait of
    which nobody knows who could end it; `unanswered`: the longest for an answer from outside that others wait for too,
    that is a call's, or at whose other end somebody waits in the same way; `passed`: the longest that only somebody
    could end who goes on without doing so, and who; `called`: the longest of a ring that nobody of it ends, but a
    function that somebody may call, and which."""

    tasks: int
    longest: tuple[dict[str, Any], int] | None = None
    call: tuple[dict[str, Any], int] | None = None
    still_ns: int = 0
    not_answered: int = 0
    unjudged: tuple[dict[str, Any], int] | None = None
    unanswered: tuple[dict[str, Any], int] | None = None
    passed: tuple[dict[str, Any], int, str] | None = None
    called: tuple[dict[str, Any], int, str] | None = None


def calm_sentence(calm: Calm) -> str:
    """`Nothing is stuck: 12 tasks, the longest wait is 3 s (sleep at app.py:10).`, and less where nothing moves."""
    parts = ["no tasks" if not calm.tasks else "1 task" if calm.tasks == 1 else f"{calm.tasks:,} tasks"]
    if calm.longest is not None:
        node, age_ns = calm.longest
        parts.append(f"the longest wait is {duration(age_ns)} ({node['wait']['operation']}{at(node['wait'])})")
    elif calm.tasks:
        parts.append("none waits")
    called = long_call(calm)
    if called is not None:
        parts.append(called)
    doubt = doubt_of(calm)
    verdict = "Nothing is stuck" if doubt is None else f"Nothing is known to be stuck, but {doubt}"
    missing = calm.not_answered
    unheard = f" {'1 process' if missing == 1 else f'{missing} processes'} did not answer." if missing else ""
    return f"{verdict}: {', '.join(parts)}.{unheard}"


def doubt_of(calm: Calm) -> str | None:
    """Why it is not known whether something is stuck, as a clause; None where there is no doubt."""
    if calm.still_ns >= _LONG_NS:
        return f"nothing has moved for {duration(calm.still_ns)}"
    if calm.unanswered is not None:
        return f"whether {_waiting(calm.unanswered)} gets its answer is not known here"
    if calm.passed is not None:
        node, age_ns, by = calm.passed
        return f"the wait of {_waiting((node, age_ns))} ends only by what others go on without doing ({by})"
    if calm.called is not None:
        node, age_ns, by = calm.called
        return f"the wait of {_waiting((node, age_ns))} leads back to itself, unless more is called ({by})"
    if calm.unjudged is not None:
        return f"who could end the wait of {_waiting(calm.unjudged)} is not known"
    return None


def _waiting(one: tuple[dict[str, Any], int]) -> str:
    node, age_ns = one
    return f"{node['label']} ({polls(node) or node['wait']['operation'] + at(node['wait'])}, {duration(age_ns)})"


def polls(node: dict[str, Any]) -> str:
    """`polls at app.py:12`, of a node in words; empty for one that does not ask again and again."""
    if "poll_asks" not in node:
        return ""
    where = f" at {node['poll_short']}" if node["poll_short"] else ""
    return f"tries again what fails{where}" if node["poll_asks"] == "again" else f"polls{where}"


def long_call(calm: Calm) -> str | None:
    """`MainThread has been at app.py:8 (in sqlite3.execute) for 25 s`; None where no call has taken long."""
    if calm.call is None or calm.call[1] < _LONG_NS:
        return None
    node, age_ns = calm.call
    line = next((frame for frame in reversed(node["stack"]) if frame["own"]), None)
    called = node["attributes"].get(semconv.THREAD_CALL)
    inside = "" if called is None else f" (in {called})"
    where = "in a call" if line is None else f"at {line['short']}"
    return f"{node['label']} has been {where}{inside} for {duration(age_ns)}"


def at(wait: dict[str, Any]) -> str:
    """` at app.py:10`, ` in aiohttp`: where a wait in words is; empty where that is not known."""
    word = " at " if own_line.is_line(wait["source"]) else " "
    return f"{word}{wait['short']}" if wait["short"] else ""
