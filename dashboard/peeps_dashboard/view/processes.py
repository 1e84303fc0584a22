# SPDX-License-Identifier: Apache-2.0
"""Which programs are connected, how fresh their data is, and who has gone silent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ..api import Process

_NAMED = 3
_HARMLESS = ("thread samples", "samples", "histograms", "looks:")
"""What is left out of this changes no verdict; how old the data is stands on the page."""


def watched(processes: Sequence[Process]) -> list[Process]:
    """Those that send snapshots and have not said goodbye."""
    return [p for p in processes if p["state"] in ("live", "silent")]


def names(processes: Sequence[Process]) -> dict[str, str]:
    """A short unique name per process id: the service, with the pid; with host or id where that is not enough."""
    short = {p["id"]: _short(p) for p in processes}
    twice = {name for name, n in Counter(short.values()).items() if n > 1}
    for p in processes:
        if short[p["id"]] in twice:
            host = p.get("host")
            short[p["id"]] += f" @ {host}" if host else f" {p['id'][-6:]}"
    still = {name for name, n in Counter(short.values()).items() if n > 1}
    return {pid: f"{name} {pid[-6:]}" if name in still else name for pid, name in short.items()}


def _short(process: Process) -> str:
    service, pid = process["service"] or "unnamed service", process.get("pid")
    return f"{service} ({pid})" if pid is not None else service


def freshness(processes: Sequence[Process]) -> str | None:
    """How long ago the newest word of any watched process came."""
    newest = max(watched(processes), key=lambda p: p["last_seen_ns"], default=None)
    return None if newest is None else newest["last_seen_ago"]


def silence(processes: Sequence[Process]) -> str:
    """One plain sentence for all that should be sending and do not; empty where there are none."""
    silent = [p for p in processes if p["state"] == "silent"]
    if not silent:
        return ""
    called = names(processes)
    if len(silent) == 1:
        ago = silent[0]["last_seen_ago"]
        return f"{called[silent[0]['id']]} has sent nothing for {ago}; what is shown of it is the last it said."
    listed = ", ".join(called[p["id"]] for p in silent[:_NAMED])
    more = f" and {len(silent) - _NAMED} more" if len(silent) > _NAMED else ""
    return (
        f"{len(silent)} of {len(watched(processes))} processes have gone silent: {listed}{more}; "
        "what is shown of them is the last they said."
    )


def unknown(processes: Sequence[Process]) -> str:
    """What is not known of those that are watched, in one line: who is silent, what was left out to stay cheap."""
    seen = watched(processes)
    shed = list(dict.fromkeys(what for p in seen for what in p.get("shed", []) if not what.startswith(_HARMLESS)))
    reduced = ""
    if shed:
        more = f" and {len(shed) - _NAMED} more" if len(shed) > _NAMED else ""
        reduced = f"Reduced, to stay cheap: {', '.join(shed[:_NAMED])}{more}."
    return " ".join(part for part in (silence(processes), reduced) if part)


def table(processes: Sequence[Process]) -> list[dict[str, str]]:
    """One row per process for the page about connecting. What is not known is empty, never 0."""
    called = names(processes)
    return [
        {
            "process": called[p["id"]],
            "state": p["state"],
            "tasks": _number(p.get("tasks")),
            "waiting": _number(p.get("waiting")),
            "last word": f"{p['last_seen_ago']} ago",
            "not covered": ", ".join([*p.get("coverage", []), *(f"left out: {s}" for s in p.get("shed", []))]),
        }
        for p in processes
    ]


def _number(value: int | None) -> str:
    return "" if value is None else f"{value:,}"
