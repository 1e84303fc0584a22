# SPDX-License-Identifier: Apache-2.0
"""Which interpreter of the process this is, and whether it is one we know: private names of CPython. Checked on 3.11.7,
3.12.1 and 3.13.0."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

FREE_THREADED = "peeps: a free-threaded build of Python is not supported: this process is not watched"


def is_main() -> bool:
    """False in a subinterpreter: threads, and much of what we need, are not to be had there.

    Where Python does not tell, it is the main one.
    """
    for name in ("_interpreters", "_xxsubinterpreters"):  # since 3.13; until 3.12
        try:
            interpreters: Any = import_module(name)
            return bool(interpreters.get_current() == interpreters.get_main())
        except (ImportError, AttributeError):
            continue
    return True


def is_free_threaded() -> bool:
    """Whether this is a build without the GIL, also one that has switched it on: objects are laid out otherwise there,
    and nothing that we read from another thread is a snapshot."""
    return "free-threading build" in sys.version or not getattr(sys, "_is_gil_enabled", lambda: True)()
