# SPDX-License-Identifier: Apache-2.0
"""Whether the program's own code has begun: `opentelemetry-instrument` and `peeps run` start us in `sitecustomize`."""

from __future__ import annotations

import site
import threading
from inspect import currentframe
from types import CodeType

from . import versions
from .current_frames import current_frames

CHECKED_ON = versions.on("CPython")

_STARTS: CodeType | None = getattr(getattr(site, "execsitecustomize", None), "__code__", None)


def is_starting() -> bool:
    """Whether the main thread is still in `sitecustomize`. On any thread."""
    main = threading.main_thread()
    frame = currentframe() if main is threading.current_thread() else current_frames().get(main.ident or 0)
    while frame is not None:
        if frame.f_code is _STARTS:
            return True
        frame = frame.f_back
    return False
