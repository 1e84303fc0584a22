# SPDX-License-Identifier: Apache-2.0
"""Threads that an exception ends: `Thread._bootstrap_inner` says so before it calls the program's `excepthook`.

What is wanted is copied out at once; the exception and its traceback are not kept.
"""

from __future__ import annotations

import ast
import sys
import threading
from types import CodeType, FunctionType

from ...model import NodeKind
from ...model.change import Change
from ..deaths.death import death_of
from ..deaths.probe import Ledger
from ..internals.thread import facts
from . import source_patch as rewrite

CHANGES = (
    Change(
        "`Thread._bootstrap_inner`",
        "rewritten: notes the type and the place of an exception that ends a thread, and weak references to the locks "
        "and queues that its functions had",
        "at the start",
        "the code object of before is put back when recording ends; one name in `threading` stays",
        "`PEEPS_RECORD`, `PEEPS_PROBE_THREADS`",
    ),
)
_NAME = "_peeps_thread_died"


class ThreadDeathPatch:
    """The rewritten function. It outlives a fork."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._function: FunctionType | None = None
        self._original: CodeType | None = None
        self._installed: CodeType | None = None
        self.coverage: list[str] = []

    def install(self) -> None:
        if self._installed is not None:
            return
        function = _function()
        if function is None:
            self.coverage.append("threads that an exception ends are not seen: `threading.Thread` is another library's")
            return
        try:
            insert = rewrite.Insert(_tells_of_it, f"{_NAME}(self)", 1, before=True)
            code = rewrite.rewritten(function, [insert])
        except (rewrite.Mismatch, OSError, SyntaxError, StopIteration, AttributeError, TypeError) as reason:
            self.coverage.append(f"threads that an exception ends are not seen: {reason}")
            return
        setattr(threading, _NAME, self.died)  # stays: threads that run now end in the rewritten function
        self._function, self._original, self._installed = function, function.__code__, code
        function.__code__ = code

    def uninstall(self) -> None:
        function = self._function  # not asked for again: gevent may have put another class in the place of `Thread`
        if function is not None and self._original is not None and function.__code__ is self._installed:
            function.__code__ = self._original
        self._function = self._original = self._installed = None
        self.coverage = []

    def died(self, thread: threading.Thread) -> None:
        """Called by the rewritten function, within its `except`."""
        try:
            exception = sys.exc_info()[1]
            if self._installed is not None and exception is not None:
                name = facts(threading.get_ident(), thread).name
                self._ledger.report(death_of(NodeKind.THREAD, name, exception))
        except Exception:
            return


def _function() -> FunctionType | None:
    """None where `Thread` is another library's."""
    found: object = vars(threading.Thread).get("_bootstrap_inner")
    return found if type(found) is FunctionType else None


def _tells_of_it(statement: ast.stmt) -> bool:
    """`self._invoke_excepthook(self)`"""
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Call)
        and isinstance(statement.value.func, ast.Attribute)
        and statement.value.func.attr == "_invoke_excepthook"
    )
