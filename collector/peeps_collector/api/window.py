# SPDX-License-Identifier: Apache-2.0
"""The part of the history that a request asks for: `since_s` before `at` or now, of `process`."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager

from starlette.requests import Request

from ..store.statement import Failure, StatementFailed
from ..store.window import Window
from .answers import ApiError, moment_parameter, whole_parameter

_S = 1_000_000_000
_DEFAULT_S = 600
_MOST_S = 7 * 86_400
_STATUS = {Failure.TIME: 504, Failure.SIZE: 413}


def window_of(request: Request) -> Window:
    """Raises ApiError (400)."""
    seconds = whole_parameter(request, "since_s", _DEFAULT_S, 1, _MOST_S)
    at_ns = moment_parameter(request, "at")
    until_ns = time.time_ns() if at_ns is None else at_ns
    processes = tuple(request.query_params.getlist("process"))
    return Window(until_ns - seconds * _S, until_ns, at_ns is not None, processes)


@contextmanager
def asked_of_history() -> Generator[None]:
    """Turns a statement that failed into an ApiError about `since_s`."""
    try:
        yield
    except StatementFailed as failed:
        advice = "" if failed.failure is Failure.REFUSED else "; ask for a shorter time"
        raise ApiError(_STATUS.get(failed.failure, 500), "since_s", f"{failed}{advice}") from None
