# SPDX-License-Identifier: Apache-2.0
"""How the values of environment variables are written: a function for each kind, from text to value. Each raises
BadValue, which says what the text must look like.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .diagnosis.rules.settings import RuleSettings

UNSAMPLED_PER_S = 100
_SIGNALS = frozenset({"traces", "logs", "metrics"})
_NOT_TO_TAKE = {
    int(getattr(signal, name))
    for name in (
        "SIGKILL",
        "SIGSTOP",
        "SIGCHLD",
        "SIGSEGV",
        "SIGBUS",
        "SIGFPE",
        "SIGILL",
        "SIGABRT",
        "SIGINT",
        "SIGTERM",
    )
    if hasattr(signal, name)
}


class BadValue(ValueError):
    """Says what a value must look like."""


def boolean(text: str) -> bool:
    if text.lower() in ("1", "true", "yes", "on"):
        return True
    if text.lower() in ("0", "false", "no", "off"):
        return False
    raise BadValue("must be true or false")


def number(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            raise BadValue(f"must be a whole number from {low} to {high}")
        return value

    return parse


def decimal(low: float, high: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            raise BadValue(f"must be a number from {low:g} to {high:g}")
        return value

    return parse


def one_of(*words: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text.lower() not in words:
            raise BadValue(f"must be one of {', '.join(words)}")
        return text.lower()

    return parse


def globs(text: str) -> tuple[str, ...]:
    return tuple(glob for part in text.split(",") if (glob := part.strip()))


def address(text: str) -> str | None:
    """`host:port`, or a URL where TLS, gRPC or a path is wanted."""
    if not text:
        return None
    if text.startswith(("http://", "https://", "grpc://", "grpcs://")):
        return text.rstrip("/")
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise BadValue("must be host:port, for example 127.0.0.1:9119, or a URL")
    return f"http://{text}"


def signals(text: str) -> frozenset[str]:
    words = frozenset(word for part in text.lower().split(",") if (word := part.strip()))
    if words == frozenset({"none"}):
        return frozenset()
    if words == frozenset({"all"}):
        return _SIGNALS
    if not words <= _SIGNALS:
        raise BadValue("must be all, none, or some of traces,logs,metrics")
    return words


def per_second(text: str) -> int | None:
    """How many; None: all."""
    return None if text.lower() == "all" else UNSAMPLED_PER_S if boolean(text) else 0


def signals_to_take(text: str) -> tuple[int, ...]:
    """Their numbers."""
    return tuple(_signal_number(word) for part in text.split(",") if (word := part.strip()))


def _signal_number(word: str) -> int:
    name = word.upper() if word.upper().startswith("SIG") else f"SIG{word.upper()}"
    by_name = getattr(signal, name, None)
    number = int(word) if word.isdecimal() else int(by_name) if isinstance(by_name, signal.Signals) else 0
    if number not in set(map(int, signal.valid_signals())) or number in _NOT_TO_TAKE:
        raise BadValue("must be signals that a program may handle, such as USR1, with commas between them")
    return number


def rules(text: str) -> RuleSettings:
    from .diagnosis.rules.settings import BadRules, parse  # with all rules: not where we are switched off

    try:
        return parse(text)
    except BadRules as bad:
        raise BadValue(f"is wrong: {bad}") from None
