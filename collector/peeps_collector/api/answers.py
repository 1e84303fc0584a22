# SPDX-License-Identifier: Apache-2.0
"""Answers and errors of the query API, and how its parameters are read."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ..store.plain import json_bytes
from ..store.statement import Failure, StatementFailed

STATUS = {Failure.REFUSED: 400, Failure.SIZE: 413, Failure.TIME: 504, Failure.BUSY: 503}
"""The HTTP status of a statement that failed."""


class ApiError(Exception):
    """An answer that is an error: status, the parameter it is about, and what to do."""

    def __init__(self, status: int, field: str, message: str) -> None:
        super().__init__(message)
        self.status, self.field, self.message = status, field, message


def answer(body: dict[str, Any], status: int = 200) -> Response:
    """JSON with the collector's clock in it."""
    return Response(json_bytes({"now_ns": time.time_ns()} | body), status, media_type="application/json")


def error_answer(status: int, field: str, message: str) -> Response:
    return answer({"error": {"field": field, "message": message}}, status)


def whole_parameter(request: Request, name: str, default: int, least: int, most: int) -> int:
    """Raises ApiError (400) naming the range."""
    text = request.query_params.get(name)
    if text is None:
        return default
    if not text.isdecimal() or not least <= int(text) <= most:
        raise ApiError(400, name, f"{name}={text[:40]!r} is not a whole number from {least} to {most}")
    return int(text)


def moment_parameter(request: Request, name: str) -> int | None:
    """Unix epoch nanoseconds, or `-90s`, `-10m`, `-2h` before now; None where it is absent. Raises ApiError (400)."""
    text = request.query_params.get(name)
    if text is None:
        return None
    factor = {"s": 1, "m": 60, "h": 3600}.get(text[-1:], 0)
    if text.startswith("-") and factor and text[1:-1].isdecimal() and len(text) < 12:
        return time.time_ns() - int(text[1:-1]) * factor * 1_000_000_000
    if not text.isdecimal() or not 0 < int(text) < 1 << 63:
        raise ApiError(400, name, f"{name}={text[:40]!r} is neither Unix epoch nanoseconds nor like -90s, -10m, -2h")
    return int(text)


@contextmanager
def asked_of_database(field: str) -> Generator[None]:
    """Turns a statement of ours that failed into an ApiError about `field`."""
    try:
        yield
    except StatementFailed as failed:
        raise ApiError(STATUS[failed.failure], field, str(failed)) from None
