# SPDX-License-Identifier: Apache-2.0
"""What `peeps attach` and `python -m peeps_otel.attach` may be told."""

from __future__ import annotations

import argparse

HELP = "the verdict of a stuck Python process that never had us; nothing stays behind in it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pid", nargs="*", type=_pid, metavar="PID", help="of the process, several one after the other")
    parser.add_argument("--match", metavar="NAME", help="every Python process whose command line has NAME in it")
    parser.add_argument("--all", action="store_true", help="every Python process that we may see into")
    parser.add_argument("--alone", action="store_true", help="without the Python processes that it has started")
    parser.add_argument("--pid-file", metavar="FILE", help="the pid that stands in a file")
    parser.add_argument(
        "--wait",
        type=_seconds,
        metavar="SECONDS",
        help="look until something is stuck, for so long at most (5, and 17 where a thread stands still)",
    )
    parser.add_argument(
        "--watch",
        action="store_true",
        help="go on until they have ended, or Ctrl-C: every 15 seconds, and say what has changed",
    )
    parser.add_argument("--waits", action="store_true", help="tell also who else waits for what, a line each")
    parser.add_argument("--dump", metavar="FILE", help="write the whole picture to a file, for `peeps why FILE`")
    parser.add_argument("--json", action="store_true", help="for programs: as `peeps why --json`")


def _pid(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not the id of a process")
    return int(text)


def _seconds(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 0 to 3600")
    return number
