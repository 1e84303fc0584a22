# SPDX-License-Identifier: Apache-2.0
"""The two doors into any OpenTelemetry distribution.

The instrumentor is what `opentelemetry-instrument` and users' code call; the post-instrument hook also runs where
instrumentors are switched off with `OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=*`. The hook comes when the SDK is surely
set up, so under auto-instrumentation both lead there; the first to arrive starts the agent.

Usage in code, after the SDK was set up::

    from peeps_otel.instrumentor import PeepsInstrumentor

    PeepsInstrumentor().instrument()

API
---
"""

from __future__ import annotations

import logging
import os
from collections.abc import Collection
from typing import Any

from opentelemetry.instrumentation.instrumentor import BaseInstrumentor

from .config import is_enabled
from .interpreter_internals import FREE_THREADED, is_free_threaded, is_main

_DISABLED = "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"


class PeepsInstrumentor(BaseInstrumentor):
    """Watches the process: tasks, locks, channels and who waits for whom. Nothing of the program is wrapped."""

    def instrumentation_dependencies(self) -> Collection[str]:
        return ()

    def _instrument(self, **kwargs: Any) -> None:
        _start()

    def _uninstrument(self, **kwargs: Any) -> None:
        from . import agent

        agent.stop()


def post_instrument() -> None:
    """Entry point `opentelemetry_post_instrument`. Never raises."""
    disabled = {name.strip() for name in os.environ.get(_DISABLED, "").split(",")}
    if "peeps" not in disabled:
        _start()


def _start() -> None:
    """Not in a subinterpreter: there even our imports would fail. Where we are switched off, nothing is imported."""
    if is_main() and is_enabled(os.environ):
        if is_free_threaded():
            logging.getLogger("peeps_otel").warning(FREE_THREADED)
            return
        from . import agent

        agent.start()
