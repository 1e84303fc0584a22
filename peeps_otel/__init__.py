# SPDX-License-Identifier: Apache-2.0
"""OpenTelemetry for stuck and slow Python services: who waits for whom, and what is proven stuck."""

from __future__ import annotations

from .version import __version__

__all__ = ["__version__", "init"]


def init(service_name: str | None = None) -> None:
    """Watches this process, in code instead of `opentelemetry-instrument`. Call it before the event loop starts.

    Where no OpenTelemetry SDK is set up yet, sets up one with `service_name` and without exporters; with
    `PEEPS_DASHBOARD` set, ours are added. An SDK that is there is used as it is. Does nothing with
    `OTEL_SDK_DISABLED=true` or `PEEPS_ENABLED=false`. May be called more than once.
    """
    from . import agent
    from .providers import set_up_missing

    set_up_missing(service_name)
    agent.start()
