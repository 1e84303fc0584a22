# SPDX-License-Identifier: Apache-2.0
"""What a module must have to be a command of `peeps`, and the arguments that several commands share.

A new command is a module of this shape, and its line in `COMMANDS` in `main`. All of them are imported for every
command that is run, so what one needs beyond `client` it imports when it runs.
"""

from __future__ import annotations

import argparse
from datetime import datetime, timedelta
from datetime import time as Time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ..config import Config


class Command(Protocol):
    """A module with these names at its top."""

    @property
    def NAME(self) -> str: ...

    @property
    def HELP(self) -> str:
        """One line for `peeps --help`, lower case, without a full stop."""
        ...

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...

    def run(self, options: argparse.Namespace, config: Config) -> int:
        """The exit code: 0 fine, 1 something is stuck, 2 it could not be done. May raise ClientError, ConfigError."""
        ...


def add_process(parser: argparse.ArgumentParser) -> None:
    """`--process`, for `Client.process_ids`."""
    parser.add_argument("--process", metavar="P", help="only this process: a pid, a service name or an id")


def add_json(parser: argparse.ArgumentParser) -> None:
    """`--json`: the answer of the API, or what stands in the table, as JSON."""
    parser.add_argument("--json", action="store_true", help="for programs")


def add_paths(parser: argparse.ArgumentParser) -> None:
    """`--paths`: places as the program has them, not relative to where it runs."""
    parser.add_argument("--paths", action="store_true", help="whole paths instead of short ones")


def add_config(parser: argparse.ArgumentParser) -> None:
    """`--config`: see settings_file.py."""
    parser.add_argument("--config", metavar="FILE", help="settings in TOML: docs/collector.md has the table")


def add_ready_file(parser: argparse.ArgumentParser) -> None:
    """`--ready-file`, for the commands that listen."""
    parser.add_argument("--ready-file", metavar="PATH", help="write the real addresses here (JSON) once listening")


JSON_FORMAT = 1
"""In what `--json` prints: grows when something in it is not what it was. What is there now is in docs/api.md."""


def seconds(text: str) -> float:
    """An argument of 0 to 86400 seconds. Raises ArgumentTypeError."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 86_400:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 0 to 86400")
    return number


def whole_number(text: str) -> int:
    """An argument from 0 to a million. Raises ArgumentTypeError."""
    if not text.isdecimal() or int(text) > 1_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to 1000000")
    return int(text)


def span(text: str) -> int:
    """`90s`, `10m`, `2h`, `1d` or seconds, up to a week, in seconds. Raises ArgumentTypeError."""
    factor = {"s": 1, "m": 60, "h": 3600, "d": 86_400}.get(text[-1:], 0)
    digits = text[:-1] if factor else text
    number = int(digits) * (factor or 1) if digits.isdecimal() else 0
    if not 0 < number <= 604_800:
        raise argparse.ArgumentTypeError(f"{text!r} is not a span of time such as 90s, 10m, 2h or 1d, up to 7d")
    return number


def moment(text: str) -> int:
    """An earlier moment in Unix epoch ns: `10m` before now, a time of this day or, where that is to come, of the day
    before, or a date and time as in ISO 8601. Raises ArgumentTypeError."""
    now = datetime.now().astimezone()
    if text.lstrip("-")[-1:] in "smhd" and text.lstrip("-")[:-1].isdecimal():
        return int((now - timedelta(seconds=span(text.lstrip("-")))).timestamp() * 1e9)
    try:
        if "-" not in text:
            then = datetime.combine(now.date(), Time.fromisoformat(text)).astimezone()
            then = then if then <= now else then - timedelta(days=1)
        else:
            then = datetime.fromisoformat(text).astimezone()
    except ValueError:
        then = None
    if then is None or then > now:
        raise argparse.ArgumentTypeError(f"{text!r} is no moment of the past such as 10m, 13:05 or 2026-11-29T13:05")
    return int(then.timestamp() * 1e9)
