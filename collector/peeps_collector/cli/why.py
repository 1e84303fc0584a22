# SPDX-License-Identifier: Apache-2.0
"""`peeps why`: the verdict, who waits for whom, and which line to open. The words are the API's."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from peeps_otel.report.finding_text import FindingText
from peeps_otel.report.sentences import cannot_judge_sentence
from peeps_otel.report.style import Style, printable

from .calls import long_ones
from .client import Client
from .command import JSON_FORMAT, add_json, add_paths, add_process, moment, seconds
from .folding import on_terminal
from .leaks import check
from .looks import look_now

if TYPE_CHECKING:
    from ..config import Config

NAME = "why"
HELP = "what is stuck, and why (exit code 1 if something is, 2 if that cannot be judged)"

Json = dict[str, Any]

LEVELS = ("PROVEN", "LIKELY", "SUSPECT", "SLOW")
"""The surest first."""
_POLL_SECONDS = 0.25
_WATCH_SECONDS = 1.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", nargs="?", metavar="FILE", help="of `peeps dump`: say what it says, ask nobody")
    parser.add_argument("--leaks", action="store_true", help="have the programs look for tasks that nothing can wake")
    parser.add_argument("--wait", type=seconds, default=0.0, metavar="SECONDS", help="ask until something is stuck")
    parser.add_argument(
        "--fail-on",
        choices=LEVELS,
        default="SUSPECT",
        metavar="LEVEL",
        help="exit code 1 from this level on: PROVEN, LIKELY, SUSPECT (default) or SLOW",
    )
    parser.add_argument(
        "--no-ask", action="store_true", help="say what is known, without having the programs look again"
    )
    parser.add_argument(
        "--at", type=moment, metavar="TIME", help="as it was then: 10m (ago), 13:05, 13:05:30, 2026-11-29T13:05"
    )
    parser.add_argument("--watch", action="store_true", help="say it again every second, until Ctrl-C")
    add_paths(parser)
    add_process(parser)
    add_json(parser)


def run(options: argparse.Namespace, config: Config) -> int:
    failing = LEVELS[: LEVELS.index(options.fail_on) + 1]
    if options.file is not None:
        return why_dumped(options.file, options.process, as_json=options.json, failing=failing, paths=options.paths)
    client = Client.of(config)
    if options.at is not None:
        return _was(client, options)
    notes = check(client, options.process) if options.leaks else []
    if options.watch:
        return _watch(client, options)
    code = why(
        client,
        options.process,
        as_json=options.json,
        wait_seconds=options.wait,
        failing=failing,
        paths=options.paths,
        ask=not (options.leaks or options.no_ask),
    )
    print("".join(f"\n{note}" for note in notes), end="\n" if notes else "", file=sys.stderr)
    return code


def _was(client: Client, options: argparse.Namespace) -> int:
    """Prints the verdict of an earlier moment; the exit code as of `why`. Nobody is asked anything."""
    answer = client.get("/api/findings", process=client.process_ids(options.process), at=str(options.at))
    failing = LEVELS[: LEVELS.index(options.fail_on) + 1]
    if options.json:
        json.dump({"format": JSON_FORMAT} | answer, sys.stdout, indent=2)
        print()
    else:
        processes = {p["id"]: p for p in client.get("/api/processes")["processes"]}
        then = datetime.fromtimestamp(options.at / 1e9).astimezone().isoformat(" ", "seconds")
        print(on_terminal([f"As it was at {then}:", "", *report(answer, processes, Style(), paths=options.paths)]))
    return _exit_code(answer, failing)


def _watch(client: Client, options: argparse.Namespace) -> int:
    """Until it is interrupted; a terminal shows the newest verdict alone."""
    while True:
        ids = client.process_ids(options.process)
        answer = client.get("/api/findings", process=ids)
        processes = {p["id"]: p for p in client.get("/api/processes")["processes"]}
        lines = report(answer, processes, Style(), paths=options.paths)
        print(("\033[H\033[2J" if sys.stdout.isatty() else "") + on_terminal(lines), flush=True)
        time.sleep(_WATCH_SECONDS)


def why(
    client: Client,
    process: str | None,
    *,
    as_json: bool,
    wait_seconds: float,
    failing: Sequence[str] = LEVELS[:3],
    paths: bool = False,
    ask: bool = False,
) -> int:
    """Prints the verdict. `ask`: where nothing is stuck, the programs look again first. Returns 1 where a finding of a
    level in `failing` is open, 2 where there is none and a process is not connected or cannot be judged, else 0. Raises
    ClientError."""
    deadline = time.monotonic() + wait_seconds
    notes: list[str] = []
    while True:
        ids = client.process_ids(process)
        answer = client.get("/api/findings", process=ids)
        if not _is_failing(answer, failing) and ask and answer["verdict"]["connected"]:
            ask, notes = False, look_now(client, process)
            continue
        if _is_failing(answer, failing) or time.monotonic() >= deadline:
            break
        time.sleep(_POLL_SECONDS)
    if as_json:
        json.dump({"format": JSON_FORMAT} | answer, sys.stdout, indent=2)
        print()
    else:
        processes = client.get("/api/processes")["processes"]
        lines = report(answer, {p["id"]: p for p in processes}, Style(), paths=paths)
        print(on_terminal(lines + long_ones(client, ids, Style())))
    if not _is_failing(answer, failing):
        print("".join(f"{note}\n" for note in notes), end="", file=sys.stderr)
    return _code(answer, failing)


def why_dumped(path: str, process: str | None, *, as_json: bool, failing: Sequence[str], paths: bool) -> int:
    """The same of a dump file, in whose time everything is told. Raises ClientError."""
    from peeps_otel.dump.answers import findings_answer, processes_by_id

    from .dumped import load, say_when

    dump = load(path, process)
    answer = findings_answer(dump)
    if as_json:
        json.dump({"format": JSON_FORMAT} | answer, sys.stdout, indent=2)
        print()
    else:
        say_when(path, dump, time.time_ns())
        print(on_terminal(report(answer, processes_by_id(dump), Style(), paths=paths)))
    return _code(answer, failing)


def _code(answer: Json, failing: Sequence[str]) -> int:
    return _exit_code(answer, failing)


def _exit_code(answer: Json, failing: Sequence[str]) -> int:
    if _is_failing(answer, failing):
        return 1
    verdict: Json = answer["verdict"]
    return 0 if verdict["connected"] and not verdict["cannot_judge"] else 2


def _is_failing(answer: Json, failing: Sequence[str]) -> bool:
    return any(finding["level"] in failing and finding["state"] == "open" for finding in answer["findings"])


def report(answer: Json, processes: dict[str, Json], style: Style, *, paths: bool = False) -> list[str]:
    """The text, line by line. `processes`: by id. `paths`: whole paths instead of short ones."""
    lines: list[str] = []
    verdict: Json = answer["verdict"]
    text = FindingText(style, paths=paths)
    for finding in answer["findings"]:
        if "same_as" in finding:
            continue  # told with the first of those alike
        where = ", ".join(_process(processes.get(p), p) for p in finding["processes"])
        lines += ([""] if lines else []) + text.lines(finding, where)
        if "same_text" in finding:
            lines.append(printable(finding["same_text"]))
    if answer.get("untold"):
        lines += ["", f"and {answer['untold']:,} more findings, which are not told one by one."]
    if not answer["findings"]:
        calm = verdict["connected"] and not verdict["cannot_judge"]
        lines.append(style("green" if calm else "yellow", printable(verdict["sentence"])))
    elif verdict["cannot_judge"]:
        unseen = [(one["name"], one["note"]) for one in verdict["cannot_judge"]]
        lines += ["", style("yellow", printable(cannot_judge_sentence(unseen)))]
    if answer["not_answered"]:
        names = ", ".join(_process(processes.get(p), p) for p in answer["not_answered"])
        lines += ["", style("yellow", f"Not answered, so not judged now: {names}")]
    return lines


def _process(process: Json | None, key: str) -> str:
    return key if process is None else f"{printable(process['service'])} (pid {process['pid'] or 'unknown'})"
