# SPDX-License-Identifier: Apache-2.0
"""The processes that run Python here, and what people know them by."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from . import kernel_view

_PYTHON = re.compile(r"/(?:libpython3\.\d+[a-z]*\.so|python3(?:\.\d+)?)")


def all_python() -> list[int]:
    """Those that we may see into, but ours, by number."""
    others = (int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid())
    return sorted(pid for pid in others if _runs_python(pid))


def with_children(pids: Iterable[int]) -> list[int]:
    """Each with the Python processes that it has started, and they."""
    found = dict.fromkeys(pids)
    work = list(found)
    while work:
        new = [one for one in kernel_view.children(work.pop()) if one not in found and one != os.getpid()]
        found |= dict.fromkeys(one for one in new if _runs_python(one))
        work += new
    return list(found)


def _runs_python(pid: int) -> bool:
    return bool(_PYTHON.search(kernel_view.read_text(f"/proc/{pid}/maps")))


def matching(part: str) -> list[int]:
    """Those whose command line has this in it."""
    return [pid for pid in all_python() if part in " ".join(command(pid))]


def command(pid: int) -> list[str]:
    """Its command line; empty where it has none."""
    return [word for word in kernel_view.read_text(f"/proc/{pid}/cmdline").split("\0") if word]


def name(pid: int) -> str:
    """The script or module that it runs, as people would call it."""
    words = command(pid)
    if "-m" in words[1:-1]:
        return words[words.index("-m") + 1]
    if "-c" in words[1:]:
        return os.path.basename(words[0])
    script = next((word for word in words[1:] if not word.startswith("-")), words[0] if words else "")
    return os.path.basename(script) or "process"
