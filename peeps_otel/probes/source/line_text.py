# SPDX-License-Identifier: Apache-2.0
"""The text of a line of the program's own code, as it stands in its file: for whoever reads where something waits.

Nothing of the program is run for it: no loader, no codec of a file's choosing, no `linecache`. A file that was changed
after the process began is not read, for its lines may not be the ones that run.
"""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from . import own_code

AROUND = 2
"""How many lines before and behind the one that is asked for come with it."""

_FILE_MOST = 4 << 20  # bytes
_LINE_MOST = 200  # characters
_SECRET = re.compile(
    r"""
    (\w*(?:passw|passphrase|secret|token|api_?key|credential|private_?key)\w*  # a name that says so
    ['"]?\]? \s* (?:: \s* \w+ \s*)? [=:] \s* \w{0,2})  # as a variable, a parameter or a key
    ("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    """,
    re.IGNORECASE | re.VERBOSE,
)
_IN_URL = re.compile(r"(://[^/\s:@'\"]*:)[^/\s@'\"]+@")


class SourceText(NamedTuple):
    """Some lines of a file; `first`: the number of the first one, from 1."""

    first: int
    lines: tuple[str, ...]


class LineTexts:
    """Reads lines. On one thread. `began_ns`: when the process began, Unix epoch."""

    def __init__(self, began_ns: int | None = None) -> None:
        self._began_ns = time.time_ns() if began_ns is None else began_ns

    def around(self, file: str, line: int) -> SourceText | None:
        """The line and those around it, each cut at 200 characters, without what is written down as a password, a token
        or a key. None where the file is not the program's own, cannot be read, or is not the one that runs."""
        if line < 1 or not os.path.isabs(file) or not own_code.is_own(file):
            return None
        try:
            return self._read(file, max(1, line - AROUND), line + AROUND, line)
        except (OSError, ValueError):
            return None

    def _read(self, file: str, first: int, last: int, asked: int) -> SourceText | None:
        # Whatever the name leads to, a pipe or a device must not keep the thread.
        descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
        with open(descriptor, "rb") as stream:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode) or found.st_size > _FILE_MOST or found.st_mtime_ns > self._began_ns:
                return None
            lines = [_shown(raw) for raw in islice(stream, first - 1, last)]
        return (
            SourceText(first, tuple(_without_blank_end(lines, asked - first))) if len(lines) > asked - first else None
        )


def _shown(raw: bytes) -> str:
    text = raw.decode("utf-8", "replace").rstrip().expandtabs(4)
    text = _IN_URL.sub(r"\1…@", _SECRET.sub(r"\1'…'", text))
    return text if len(text) <= _LINE_MOST else text[: _LINE_MOST - 1] + "…"


def _without_blank_end(lines: Sequence[str], keep: int) -> Sequence[str]:
    """Empty lines at the end explain nothing; that of `keep` stays."""
    end = len(lines)
    while end - 1 > keep and not lines[end - 1]:
        end -= 1
    return lines[:end]
