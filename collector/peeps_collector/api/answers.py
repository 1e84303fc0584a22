# SPDX-License-Identifier: Apache-2.0
"""Answers and errors of the query API, and how its parameters are read."""

from __future__ import annotations

import time
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ..store.plain import json_bytes


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
