# SPDX-License-Identifier: Apache-2.0
"""By which name, and at which line, a task has entered a `with` block."""

from __future__ import annotations

from ..internals.await_chain import Entered, SuspendedFrame
from ..source import own_code, source_text


def entered_at(entered: Entered) -> tuple[str, str]:
    """Name and `path:line` of the `with` item by which a manager was entered; the function's line where it is not
    clear which item it was."""
    code = entered.link.code
    line = entered.link.line or code.co_firstlineno
    items = source_text.with_items(code, line)
    if 0 <= entered.position < len(items) and entered.total <= len(items):
        item = items[entered.position]
        return source_text.expression_name(item.text), f"{code.co_filename}:{item.line}"
    return "", f"{code.co_filename}:{line}"


def asked_at(links: list[SuspendedFrame], entered: Entered) -> str:
    """`path:line` of the innermost function of the program at or around the block by which something was taken; empty
    where a library has taken it by itself."""
    if own_code.is_own(entered.link.code.co_filename):
        return entered_at(entered)[1]
    around = links[: next((n for n, link in enumerate(links) if link.suspended is entered.link.suspended), 0)]
    own = next((link for link in reversed(around) if own_code.is_own(link.code.co_filename)), None)
    line = None if own is None else own.line
    return "" if own is None or line is None else f"{own.code.co_filename}:{line}"
