# SPDX-License-Identifier: Apache-2.0
"""Dump files for the commands that read one. Loaded only where a file is named."""

from __future__ import annotations

import sys

from peeps_otel.dump import file
from peeps_otel.dump.dump import Dump
from peeps_otel.report.sentences import duration
from peeps_otel.report.style import Style, printable

from .client import ClientError


def load(path: str, process: str | None = None) -> Dump:
    """The dump in `path`, or what it has of one process. Raises ClientError."""
    try:
        dump = file.read(path)
        return dump if process is None else dump.only(process)
    except OSError as error:
        raise ClientError(f"{path} cannot be read: {error.strerror or error}") from None
    except file.NotADump as error:
        raise ClientError(str(error)) from None
    except LookupError as error:
        raise ClientError(str(error.args[0])) from None


def say_when(path: str, dump: Dump, now_ns: int) -> None:
    """Where what is printed comes from, and how old it is, beside it."""
    age = f", {duration(now_ns - dump.time_ns)} ago" if now_ns > dump.time_ns else ""
    who = ", ".join(str(one) for one in dump.processes[:3]) or "no process"
    rest = f" and {len(dump.processes) - 3} more" if len(dump.processes) > 3 else ""
    print(Style(sys.stderr)("dim", printable(f"From {path}: {who}{rest}{age}.")), file=sys.stderr)
