# SPDX-License-Identifier: Apache-2.0
"""What `peeps attach` does: which processes are meant, and what is said of each."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from ..dump.answers import findings_answer
from ..local import dumping
from ..report.style import printable
from . import processes
from .attach import Attached, as_dump, attach, watch
from .refused import Refused

_FORMAT = 1  # of what `--json` prints, as that of `peeps why`
_STUCK, _UNKNOWN = 1, 2


def run(options: argparse.Namespace) -> int:
    """1 where something is stuck, 2 where nothing is and a process could not be judged, else 0."""
    if options.watch and (options.json or options.wait is not None):
        print("peeps: --watch goes on without end, in words: it cannot be used with --wait or --json", file=sys.stderr)
        return _UNKNOWN
    try:
        pids = _meant(options)
    except ValueError as error:
        print(f"peeps: {error}", file=sys.stderr)
        return _UNKNOWN
    if options.watch:
        return _watch(options, pids)
    answers = attach(pids, options.wait)
    found = [one for one in answers.values() if isinstance(one, Attached)]
    refused = [(pid, str(one)) for pid, one in answers.items() if isinstance(one, Refused)]
    for pid, reason in refused:
        _say_refused(pid, reason)
    if not options.json:
        print("\n\n".join(_text(one, options.waits, len(pids) > 1) for one in found), end="\n" if found else "")
    dump = as_dump(found)
    if options.json:
        told: dict[str, Any] = {"format": _FORMAT} | findings_answer(dump)
        told["refused"] = [{"pid": pid, "reason": reason} for pid, reason in refused]
        told["pause_ms"] = [visit.away_ms for one in found for visit in one.visits]
        json.dump(told, sys.stdout, indent=2)
        print()
    if options.dump is not None:
        dumping.write([one.picture for one in found], options.dump)
    codes = [one.code for one in found] + [_UNKNOWN] * bool(refused)
    return _STUCK if _STUCK in codes else max(codes)


def _watch(options: argparse.Namespace, pids: list[int]) -> int:
    """Says each verdict once. The code of the last verdicts, as `run`."""
    codes: dict[int, int] = {}
    said: dict[int, object] = {}
    names = {pid: printable(processes.name(pid)) for pid in pids}
    try:
        for pid, one in watch(pids):
            if isinstance(one, Refused):
                if pid in codes:
                    print(f"peeps: {names[pid]} (pid {pid}) has ended", file=sys.stderr)
                else:
                    _say_refused(pid, str(one))
                codes.setdefault(pid, _UNKNOWN)
                continue
            codes[pid] = one.code
            verdict = [(each.kind, each.level, each.title) for each in one.picture.findings]
            if said.get(pid) == verdict:
                continue
            said[pid] = verdict
            if options.dump is not None:
                dumping.write([one.picture], options.dump)
            print(f"{time.strftime('%H:%M:%S')}  {_text(one, options.waits, len(pids) > 1)}\n", flush=True)
    except KeyboardInterrupt:
        pass
    return _STUCK if _STUCK in codes.values() else max(codes.values(), default=0)


def _say_refused(pid: int, reason: str) -> None:
    print(f"peeps: {printable(processes.name(pid))} (pid {pid}) is as it was: {reason}", file=sys.stderr)


def _text(attached: Attached, waits: bool, several: bool) -> str:
    text = attached.account if waits else attached.text
    return f"{attached.picture.name}: {text}" if several and not attached.picture.findings else text


def _meant(options: argparse.Namespace) -> list[int]:
    """Raises ValueError, which says what to say instead."""
    found: list[int] = list(options.pid)
    if options.pid_file is not None:
        try:
            found.append(int(Path(options.pid_file).read_text(encoding="ascii").split()[0]))
        except (OSError, ValueError, IndexError) as error:
            raise ValueError(f"{options.pid_file} has no pid in it: {error}") from None
    if options.match is not None:
        matching = processes.matching(options.match)
        if not matching:
            raise ValueError(f"no Python process that we may see has {options.match!r} in its command line")
        found += matching
    if options.all:
        found += processes.all_python()
    if not found:
        raise ValueError("say which process is meant: a pid, --match NAME, --pid-file FILE or --all")
    return list(dict.fromkeys(found)) if options.alone else processes.with_children(found)
