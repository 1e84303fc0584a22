# SPDX-License-Identifier: Apache-2.0
"""Secrets are taken out of what is received before it is stored: values of attributes whose key fits a pattern, and
what fits another in any text.

In place, in the message, whatever its signal: so nothing that decoding may read in it later can be forgotten here.
"""

from __future__ import annotations

import re
from typing import Any, cast

from google.protobuf.message import Message
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

_INSTEAD = "[redacted]"
_OURS = "peeps."  # names, places and ids: without them nothing could be said


class Redaction:
    """`keys`, `texts`: regular expressions, searched anywhere, case ignored; empty: none. Thread-safe."""

    def __init__(self, keys: str = "", texts: str = "") -> None:
        """Raises re.error."""
        self._keys = re.compile(keys, re.IGNORECASE) if keys else None
        self._texts = re.compile(texts, re.IGNORECASE) if texts else None

    def __bool__(self) -> bool:
        return self._keys is not None or self._texts is not None

    def redact(self, message: Message) -> None:
        """In place. Iterative: the depth of the input is not ours to choose."""
        todo: list[Message] = [message]
        while todo:
            one = todo.pop()
            if isinstance(one, KeyValue) and self._is_secret(one):
                one.value.Clear()
                one.value.string_value = _INSTEAD
                continue
            if isinstance(one, AnyValue) and one.WhichOneof("value") == "string_value":
                self._take_out(one)
                continue
            for field, value in one.ListFields():
                if field.message_type is None:
                    continue
                todo += cast("list[Message]", value) if _is_repeated(field) else [cast("Message", value)]

    def _is_secret(self, pair: KeyValue) -> bool:
        return self._keys is not None and not pair.key.startswith(_OURS) and self._keys.search(pair.key) is not None

    def _take_out(self, value: AnyValue) -> None:
        if self._texts is not None and (clean := self._texts.sub(_INSTEAD, value.string_value)) != value.string_value:
            value.string_value = clean


def _is_repeated(field: Any) -> bool:
    known = getattr(field, "is_repeated", None)  # `label` goes away in later versions of protobuf
    return bool(field.label == field.LABEL_REPEATED if known is None else known)
