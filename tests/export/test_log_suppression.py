# SPDX-License-Identifier: Apache-2.0
"""Exporters of ours log nothing and take no lock of `logging`; those of the program log what they like."""

from __future__ import annotations

import logging
import threading

import pytest

from peeps_otel.export.log_suppression import quiet

_NAME = "urllib3.connectionpool"


def test_only_a_thread_that_exports_for_us_is_silent(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger(_NAME)
    with quiet():
        logger.error("ours")
        other = threading.Thread(target=logger.error, args=("the program's, meanwhile",))
        other.start()
        other.join()
    logger.error("the program's, after it")
    logger.debug("not wanted")
    assert caplog.messages == ["the program's, meanwhile", "the program's, after it"]


def test_whoever_has_the_lock_of_logging_for_ever_does_not_stop_an_export() -> None:
    """The first question after a change of any level takes it."""
    logger = logging.getLogger(_NAME)
    taken, done = threading.Event(), threading.Event()

    def configure() -> None:
        with logging._lock:  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]  # what `dictConfig` has
            taken.set()
            done.wait()

    def export() -> None:
        with quiet():
            logger.error("failed")

    logger.setLevel(logging.NOTSET)
    for target in (configure, export):
        thread = threading.Thread(target=target, daemon=True)
        thread.start()
        taken.wait()
    thread.join(10)
    is_through = not thread.is_alive()
    done.set()
    assert is_through
