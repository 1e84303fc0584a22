# SPDX-License-Identifier: Apache-2.0
"""The ids of the rules of Roam's specification by which we close a connection, and the one error that carries them.

An id goes to the peer as the reason of a Goodbye. The names are those of the specification of February 2026.
"""

from __future__ import annotations

from typing import Final

DECODE_ERROR: Final = "message.decode-error"
UNKNOWN_VARIANT: Final = "message.unknown-variant"
HELLO_VERSION: Final = "message.hello.unknown-version"
HELLO_ORDERING: Final = "message.hello.ordering"
CONN_ID: Final = "message.conn-id"
CONN_ALLOCATION: Final = "core.conn.id-allocation"
DUPLICATE_REQUEST: Final = "call.request-id.duplicate-detection"
UNKNOWN_RESPONSE: Final = "call.response.unknown-request-id"
STALE_RESPONSE: Final = "call.response.stale-timeout"
METADATA_LIMITS: Final = "call.metadata.limits"
PAYLOAD_LIMIT: Final = "flow.call.payload-limit"
CONCURRENT_OVERRUN: Final = "flow.request.concurrent-overrun"
CREDIT_OVERRUN: Final = "flow.channel.credit-overrun"
CHANNEL_ZERO: Final = "channeling.id.zero-reserved"
CHANNEL_REUSED: Final = "channeling.id.uniqueness"
CHANNEL_UNKNOWN: Final = "channeling.unknown"
DATA_AFTER_CLOSE: Final = "channeling.data-after-close"
DATA_SIZE: Final = "channeling.data.size-limit"
DATA_INVALID: Final = "channeling.data.invalid"

ALL: Final = frozenset(value for name, value in list(globals().items()) if name.isupper())


class ProtocolViolation(Exception):
    """What the peer sent breaks a rule. `rule`: its id; `detail`: what was wrong, for people on this side."""

    def __init__(self, rule: str, detail: str = "") -> None:
        super().__init__(f"{rule}: {detail}" if detail else rule)
        self.rule = rule
        self.detail = detail
