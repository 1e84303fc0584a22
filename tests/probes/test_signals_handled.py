# SPDX-License-Identifier: Apache-2.0
"""Whether a signal may make a process do anything."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Iterator
from types import FrameType

import pytest

from peeps_otel.probes.threads.signals import handled_by


@pytest.fixture(autouse=True)
def as_python_begins() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGUSR2, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def _handled() -> bool:
    ident = threading.main_thread().ident
    assert ident is not None
    return handled_by(ident)


@pytest.mark.parametrize("handler", [signal.SIG_DFL, signal.SIG_IGN, signal.default_int_handler])
def test_those_of_python_itself_are_none(handler: signal.Handlers) -> None:
    before = _handled()  # a test runner may have one of its own
    signal.signal(signal.SIGUSR2, handler)
    assert _handled() is before


def test_that_of_asyncio_for_ctrl_c_is_none() -> None:
    before = _handled()

    async def within() -> bool:
        return _handled()

    assert asyncio.run(within()) is before


def test_a_function_of_the_program_is_one_in_the_main_thread_alone() -> None:
    def stop(_number: int, _frame: FrameType | None) -> None:
        """Never called."""

    signal.signal(signal.SIGUSR2, stop)
    assert _handled()
    assert not handled_by(0)
