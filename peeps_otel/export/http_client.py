# SPDX-License-Identifier: Apache-2.0
"""When the HTTP client may be imported: not before the program has had its chance to patch it.

`gevent.monkey.patch_all()` breaks a program in which `urllib3` was imported before it (`RecursionError` in `ssl`). A
program that is started by `opentelemetry-instrument` patches in its first lines, which come after our start. So where
gevent or eventlet can be imported at all, our exporters wait for a moment; elsewhere nobody waits. They also wait where
the patches are made: the locks of the import system are greenlets' own then, and a thread of the system and the
program's that import the same module at one time would wait for each other in a way that gevent calls an error. The
moment is one in which the main thread imports nothing, for on a slow machine the import of gevent itself takes as long;
or stands in an import, which is how a program looks that waits in one for ever.
"""

from __future__ import annotations

import threading
import time
from functools import cache
from importlib import import_module
from importlib.machinery import PathFinder
from types import ModuleType

from .. import native
from ..probes.runtime import current_frames, is_complete

_IMPORT_SYSTEM = "<frozen importlib._bootstrap>"
_ATTEMPTS = 3
_CHANCE_S = 3.0
_STEP_S = 0.05
_LATEST_S = 30.0
_began = _quiet_since = time.monotonic()


def import_when_allowed(module: str) -> ModuleType:
    """The module, which imports an HTTP client, as soon as that may be: at once in most programs; where gevent or
    eventlet can be imported, after 3 s in which the main thread was not seen to go on with an import, after 30 s at the
    latest, and when the program ends. Blocks: only for threads of ours and of the SDK."""
    for _ in range(_ATTEMPTS - 1):
        _wait_for_patches()
        try:
            with native.importing:
                return import_module(module)
        except RuntimeError:
            # The patches came while we imported: a lock of the import system was taken under an ident of the system
            # and could not be released under one of a greenlet. What was loaded by then stays loaded.
            native.sleep(_STEP_S)
    with native.importing:
        return import_module(module)


def _wait_for_patches() -> None:
    global _quiet_since
    imports_at = None
    while threading.main_thread().is_alive():
        now = time.monotonic()
        if _may_be_imported() or now - _quiet_since >= _CHANCE_S or now - _began >= _LATEST_S:
            return
        before, imports_at = imports_at, _main_thread_imports_at()
        if imports_at is not None and imports_at != before:
            _quiet_since = now
        native.sleep(_STEP_S)


def _may_be_imported() -> bool:
    if not _can_be_patched():
        return True
    return is_complete("requests")  # by the program


def _main_thread_imports_at() -> tuple[int, int] | None:
    """The innermost instruction of the main thread while it imports something; None: it does not."""
    frame = current_frames().get(threading.main_thread().ident or 0)
    at = None if frame is None else (id(frame.f_code), frame.f_lasti)
    while frame is not None:
        if frame.f_code.co_filename == _IMPORT_SYSTEM:
            return at
        frame = frame.f_back
    return None


@cache
def _can_be_patched() -> bool:
    """By the path alone: no import hook of the program is asked."""
    return any(PathFinder.find_spec(name) is not None for name in ("gevent", "eventlet"))
