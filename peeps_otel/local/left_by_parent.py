# SPDX-License-Identifier: Apache-2.0
"""A process that was forked has in its memory the tasks of its parent, which run there and never here. Who has watched
the fork knows them; who came later may take two of them that wait for each other for a deadlock."""

from __future__ import annotations

import sys
import threading
from dataclasses import replace

from ..model import Finding, Level


def is_fork(pid: int) -> bool:
    """Whether the process with this id, in whose memory we are, was forked without a new program after it: up to Python
    3.13 its main thread still has the parent's id. Linux, where a process has the id of its first thread."""
    return sys.platform == "linux" and threading.main_thread().native_id != pid


def at_most_likely(finding: Finding) -> Finding:
    """The same, less sure where it was PROVEN."""
    return replace(finding, level=Level.LIKELY) if finding.level is Level.PROVEN else finding
