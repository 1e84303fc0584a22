# SPDX-License-Identifier: Apache-2.0
"""Answers and errors of the query API, and how its parameters are read."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

_SAFE_INTEGER = 1 << 63


class ApiError(Exception):
    """An answer that is an error: status, the parameter it is about, and what to do."""

    def __init__(self, status: int, field: str, message: str) -> None:
        super().__init__(message)
        self.status, self.field, self.message = status, field, message


def answer(body: dict[str, Any], status: int = 200) -> Response:
    """JSON with the collector's clock in it."""
    content = orjson.dumps({"now_ns": time.time_ns()} | body, default=_other, option=orjson.OPT_NON_STR_KEYS)
    return Response(content, status, media_type="application/json")


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


def plain(value: Any) -> Any:
    """A database value as something JSON can carry: integers over 64 bits and decimals become text where they must."""
    if isinstance(value, Decimal):
        return plain(int(value)) if value == value.to_integral_value() else str(value)
    if isinstance(value, int) and not -_SAFE_INTEGER <= value < _SAFE_INTEGER:
        return str(value)
    if isinstance(value, list):
        return [plain(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType]
    return value


def _other(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    return str(value)
