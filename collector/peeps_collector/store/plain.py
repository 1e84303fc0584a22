# SPDX-License-Identifier: Apache-2.0
"""Values of the database as JSON can carry them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import orjson

_SAFE_INTEGER = 1 << 63


def plain(value: Any) -> Any:
    """Integers over 64 bits and decimals become text where they must."""
    if isinstance(value, Decimal):
        return plain(int(value)) if value == value.to_integral_value() else str(value)
    if isinstance(value, int) and not -_SAFE_INTEGER <= value < _SAFE_INTEGER:
        return str(value)
    if isinstance(value, list):
        return [plain(item) for item in value]  # pyright: ignore[reportUnknownVariableType]  # of a database: any items
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType]  # of a database: any items
    return value


def json_bytes(body: dict[str, Any]) -> bytes:
    """Bytes become hexadecimal, what JSON has no word for becomes text."""
    return orjson.dumps(body, default=_other, option=orjson.OPT_NON_STR_KEYS)


def _other(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    return str(value)
