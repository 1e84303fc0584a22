# SPDX-License-Identifier: Apache-2.0
"""Which attribute names are of an earlier contract: both ends of a call had their own names for what is `method`,
`correlation`, `state` and `created_at` of any node.

By their words, in one pass: names come from anybody.
"""

from __future__ import annotations

import re
from functools import lru_cache

from peeps_otel import semconv

_KEPT = 200  # characters; longer names are not remembered
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_BETWEEN = re.compile(r"[\W_]+")
_ENDS = frozenset({"request", "response"})
_BEGIN = ("method", "status", "correlat", "elapsed", "duration", "latenc", "timestamp", "timing")
"""A word of the name that begins so says it."""
_WITHIN = frozenset({"age", "at", "time", "times", "trace"})
"""So does one of these, wherever it stands."""
_LAST = frozenset(
    {"id", "ids", "uuid", "traceid", "spanid", "requestid", "state", "outcome", "code", "verb", "starttime", "endtime"}
    | {"ns", "us", "ms", "sec", "secs", "seconds", "millis", "nanos", "micros", "ts", "start", "begin", "end"}
    | {"started", "began", "ended", "created", "delivered", "completed", "handled", "sent", "received", "finished"}
    | {"queued", "cancelled"}
)
"""And one of these as the last."""


def is_alias(name: str) -> bool:
    """Whether it is a name of an earlier contract, or one of their kind, bare or in our namespace, however written."""
    return _is_alias(name) if len(name) <= _KEPT else _is_alias.__wrapped__(name)


def why_refused(name: str) -> str:
    """Why a node with an attribute of this name is not taken; empty where it may be."""
    if not is_alias(name):
        return ""
    return (
        f"{name} is a name of an earlier contract; send the canonical attribute instead "
        f"({semconv.CREATED_AT}, {semconv.SOURCE}, {semconv.METHOD}, {semconv.CORRELATION})"
    )


@lru_cache(maxsize=2000)
def _is_alias(name: str) -> bool:
    bare = _HUMP.sub("_", name.removeprefix("peeps.").replace("-", "_")).lower()
    if bare in semconv.LEGACY_ALIASES:
        return True
    first, *others = [word for word in _BETWEEN.split(bare) if word] or [""]
    if first not in _ENDS or not others:
        return False
    return others[-1] in _LAST or any(word in _WITHIN or word.startswith(_BEGIN) for word in others)
