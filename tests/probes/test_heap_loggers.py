# SPDX-License-Identifier: Apache-2.0
"""What lies between two loggers."""

from __future__ import annotations

import logging

from peeps_otel.probes.heap.loggers import is_at_exit, leads_between


def test_loggers_and_their_register_lead_to_each_other_and_to_nothing_else() -> None:
    logger, handler = logging.getLogger("one"), logging.NullHandler()
    pairs = {
        "another logger": (logger, logging.root),
        "the register": (logger, logger.manager),
        "whoever has a logger": (logger, [logger]),
        "its handler": (handler, logger),
    }
    assert {name: leads_between(*pair) for name, pair in pairs.items()} == {
        "another logger": True,
        "the register": True,
        "whoever has a logger": False,
        "its handler": False,
    }


def test_only_what_logging_does_when_python_ends_is_kept_in_c() -> None:
    assert (is_at_exit(logging.shutdown), is_at_exit(logging.getLogger)) == (True, False)
