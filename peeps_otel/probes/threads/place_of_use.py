# SPDX-License-Identifier: Apache-2.0
"""By what expression, and at which line, a thread waits: what it waits for is called after that."""

from __future__ import annotations

import threading
from types import CodeType

from ..source import source_text
from .bytecode import Path, analysis
from .call_stack import CallStack
from .waits import Waiting


def place_of_use(waiting: Waiting | None, calls: CallStack) -> tuple[str, str]:
    """Name and own `path:line` of the expression by which a thread waits; empty what is not known."""
    if waiting is None or waiting.used_at >= len(calls):
        return "", ""
    at = waiting.used_at
    if _enters_a_condition(calls.codes[at]) and at + 1 < len(calls):
        at += 1  # what is entered there has no better name than `_lock`
    path = _path(calls, at)
    while path is not None and path.short == "self" and at + 1 < len(calls):
        if not calls.is_own(at) and not _is_method_of(waiting, calls, at):
            path = None  # a method of what only carries it out, as of a job: that is called otherwise
            break
        at += 1  # a method of the thing itself: whoever called that has a name for it
        path = _path(calls, at)
    outer = range(waiting.used_at, len(calls))
    asked = next((n for n in outer if calls.is_own(n)), None)
    source = "" if asked is None else source_text.source_of(calls.codes[asked], calls.frames[asked].f_lasti)
    return "" if path is None else path.short, source


def _path(calls: CallStack, at: int) -> Path | None:
    """What is used by the call, or entered by the `with`, that a function is in."""
    reader = calls.reader(at)
    known = analysis(reader.code)
    return known.receiver(reader.lasti)[0] or (
        known.path_before(reader.lasti) if known.entering(reader.lasti) is not None else None
    )


def _is_method_of(waiting: Waiting, calls: CallStack, at: int) -> bool:
    """Whether what it calls is a method of the thing, or of the `self` that it has itself: not a function that is kept
    in an attribute of that."""
    me = calls.reader(at).local_named("self")
    within = calls.reader(at - 1).local_named("self") if at else me
    return me is within or any(me is one for one in waiting.targets)


def _enters_a_condition(code: CodeType) -> bool:
    return code is threading.Condition.__enter__.__code__
