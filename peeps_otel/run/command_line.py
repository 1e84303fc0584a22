# SPDX-License-Identifier: Apache-2.0
"""The options of `peeps run`, and the environment that they make for the program."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_START = Path(__file__).resolve().parent / "start"
_ON_EXIT = "PEEPS_DUMP_ON_EXIT"
_EXIT_S = 3.0


@dataclass(frozen=True, slots=True)
class Options:
    """`on_exit`: for how many seconds a SIGTERM waits for the verdict; 0: not at all."""

    command: list[str]
    report: str | None
    signal: str | None
    dump: str | None
    on_exit: float

    def environment(self, before: Mapping[str, str]) -> dict[str, str]:
        """What the program gets: its own, with ours in it. An option is stronger than a variable."""
        found = dict(before)
        found["PEEPS_REPORT"] = self.report or before.get("PEEPS_REPORT") or "stderr"
        signals = [self.signal or before.get("PEEPS_DUMP_SIGNAL", "")]
        if os.isatty(0) or os.isatty(2):
            signals.append("QUIT")  # Ctrl-\
        if told := ",".join(one for one in signals if one):
            found["PEEPS_DUMP_SIGNAL"] = told
        if self.dump:
            found["PEEPS_DUMP_FILE"] = os.path.abspath(self.dump)
        found["PYTHONPATH"] = os.pathsep.join(filter(None, [str(_START), before.get("PYTHONPATH", "")]))
        return found


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="peeps run",
        description="Runs a program that says on its standard error what is stuck in it, and why, when something is; "
        "on Ctrl-\\ in a terminal, and on SIGTERM before it ends, what waits for what. Its children say it too.",
    )
    made.add_argument("--report", metavar="FILE", help="write to this file instead; %%p in its name is the pid")
    made.add_argument("--signal", metavar="NAME", help="this signal asks for the verdict, as Ctrl-\\ does: USR1")
    made.add_argument("--dump", metavar="FILE", help="who asks gets the whole picture too, see `peeps why FILE`")
    made.add_argument(
        "--on-exit",
        type=_seconds,
        metavar="SECONDS",
        help=f"how long a SIGTERM waits for the verdict; 0: not at all (default {_EXIT_S:g}, or {_ON_EXIT})",
    )
    made.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND …")
    return made


def arguments(words: list[str]) -> Options:
    """Ends the process with a message where they are wrong."""
    made = parser()
    told = made.parse_args(words)
    command = told.command[1:] if told.command[:1] == ["--"] else told.command
    if not command:
        made.error("which program is to be run? peeps run -- python app.py")
    on_exit = told.on_exit
    if on_exit is None:
        try:
            on_exit = _seconds(os.environ.get(_ON_EXIT) or str(_EXIT_S))
        except argparse.ArgumentTypeError as error:
            made.error(f"{_ON_EXIT}: {error}")
    return Options(command, told.report and os.path.abspath(told.report), told.signal, told.dump, on_exit)


def _seconds(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 0 to 3600")
    return number
