# SPDX-License-Identifier: Apache-2.0
"""The payload of a response: a value, or one of four errors."""

from __future__ import annotations

from typing import Any

from . import schema
from .errors import CallCancelled, InvalidPayload, UnknownMethod, UserError
from .methods import Method
from .postcard import DecodeError, Reader

UNKNOWN_METHOD, INVALID_PAYLOAD, CANCELLED = b"\x01\x01", b"\x01\x02", b"\x01\x03"


def encode_value(method: Method, value: Any) -> bytes:
    """Raises ValueError for what the method does not return."""
    return b"\x00" + schema.encode(method.returns, value)


def encode_error(method: Method, value: Any) -> bytes:
    """Raises ValueError for what is not the method's own error."""
    if method.error is None:
        raise ValueError(f"{method.service}.{method.name} has no errors of its own")
    return b"\x01\x00" + schema.encode(method.error, value)


def read(method: Method, payload: bytes) -> Any:
    """The value; raises what else the response says."""
    reader = Reader(payload)
    try:
        if reader.unsigned(32) == 0:
            value = method.returns.read(reader)
            reader.finish()
            return value
        kind = reader.unsigned(32)
        if kind == 0 and method.error is not None:
            value = method.error.read(reader)
            reader.finish()
            raise UserError(value)
    except DecodeError as error:
        raise InvalidPayload(f"the response is not what {method.service}.{method.name} returns: {error}") from error
    named = f"{method.service}.{method.name}"
    if kind == 1:
        raise UnknownMethod(f"the peer has no {named} of these types")
    if kind == 2:
        raise InvalidPayload(f"the peer could not read the arguments of {named}")
    if kind == 3:
        raise CallCancelled(f"the peer broke {named} off")
    raise InvalidPayload(f"an error of {named} that it cannot have")
