# SPDX-License-Identifier: Apache-2.0
"""When the HTTP client may be imported: not before the program has had its chance to patch it.

`gevent.monkey.patch_all()` breaks a program in which `urllib3` was imported before it (`RecursionError` in `ssl`). A
program that is started by `opentelemetry-instrument` patches in its first lines, which come after our start. So where
gevent or eventlet can be imported at all, our exporters wait for a moment; elsewhere nobody waits. They also wait where
the patches are made: the locks of the import system are greenlets' own then, and a thread of the system and the
program's that import the same module at one time would wait for each other in a way that gevent calls an error.
"""

from __future__ import annotations

import sys
import threading
import time
from functools import cache
from importlib.machinery import PathFinder

from .. import native

_CHANCE_S = 3.0
_STEP_S = 0.05
_began = time.monotonic()


def wait_for_patches() -> None:
    """Returns when the HTTP client may be imported: at once in most programs, after 3 s of our being there at the
    latest, and when the program ends. Blocks: only for threads of ours and of the SDK."""
    while not _may_be_imported() and threading.main_thread().is_alive():
        native.sleep(_STEP_S)


def _may_be_imported() -> bool:
    if not _can_be_patched():
        return True
    client = sys.modules.get("requests")
    if client is not None and not getattr(client.__spec__, "_initializing", False):
        return True  # the program has imported it
    return time.monotonic() - _began >= _CHANCE_S


@cache
def _can_be_patched() -> bool:
    """By the path alone: no import hook of the program is asked."""
    return any(PathFinder.find_spec(name) is not None for name in ("gevent", "eventlet"))
