# SPDX-License-Identifier: Apache-2.0
"""The loggers of `logging`, each of which leads to all others, and so to every handler and whatever a handler has.

Whoever has a logger logs by it, and nobody goes from there to the handlers of another. So a way from a handler
backwards ends at its own logger, and at whoever asks for one by its name: else everybody who logs anything, exporters
of OpenTelemetry among them, would be one who could take from the queue of a `QueueHandler`.
"""

from __future__ import annotations

import logging

from .ender import Key

BY_NAME = Key("global", "logging.getLogger")
_LOGGERS = (logging.Logger, logging.Manager)


def is_at_exit(one: object) -> bool:
    """Whether it is what `logging` has given to `atexit`, which keeps it in C: it acts when Python ends."""
    return one is logging.shutdown


def leads_between(one: object, other: object) -> bool:
    """Whether both are of the register of loggers."""
    return issubclass(type(one), _LOGGERS) and issubclass(type(other), _LOGGERS)
