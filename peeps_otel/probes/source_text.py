# SPDX-License-Identifier: Apache-2.0
"""Names of things, read from the source line that made or used them.

Only the lines of one statement or one function are ever parsed: the parser holds the GIL. Results are kept by code
object and instruction, so a line is read once. For the watcher thread only; not thread-safe.
"""

from __future__ import annotations

import ast
import linecache
import textwrap
from functools import lru_cache
from itertools import islice
from types import CodeType
from typing import NamedTuple

_LINES = 400
_WAITS = ("acquire", "get", "put", "wait", "join", "send", "receive")


class WithItem(NamedTuple):
    """One `with` item: the line it stands on and its expression as text."""

    line: int
    text: str


def line_of(code: CodeType, lasti: int) -> int:
    """The line of an instruction; the first line of the function where the compiler gave none."""
    for position in islice(code.co_positions(), lasti // 2, lasti // 2 + 1):
        if position[0] is not None:
            return position[0]
    return code.co_firstlineno


_sources: dict[tuple[int, int], tuple[CodeType, str]] = {}
_SOURCES_MOST = 10_000


def source_of(code: CodeType, lasti: int) -> str:
    """`path:line` of an instruction."""
    known = _sources.get((id(code), lasti))  # hashing a code object walks its bytecode
    if known is None:
        if len(_sources) >= _SOURCES_MOST:
            _sources.clear()
        known = _sources[id(code), lasti] = (code, f"{code.co_filename}:{line_of(code, lasti)}")
    return known[1]


def defined_at(code: CodeType) -> str:
    """`path:line` of a function's definition."""
    return f"{code.co_filename}:{code.co_firstlineno}"


@lru_cache(maxsize=2048)
def assigned_name(code: CodeType, lasti: int) -> str:
    """The target of the assignment whose right side was running: `db` of `db = Lock()`, `Pool.lock` of
    `self.lock = Lock()` in a method of Pool; empty where there is none."""
    position = next(islice(code.co_positions(), lasti // 2, lasti // 2 + 1), None)
    if position is None or position[0] is None:
        return ""
    first, last, column = position[0], position[1] or position[0], position[2]
    text = "".join(linecache.getlines(code.co_filename)[first - 1 : last])
    dedented = textwrap.dedent(text)
    column = (column or 0) - (len(text) - len(text.lstrip()))  # of the first line, which dedent shortens
    try:
        statements = ast.parse(dedented).body
    except (SyntaxError, ValueError):
        return ""
    # More than one on the line: the one that the call stands in.
    statement = next((s for s in reversed(statements) if s.lineno == 1 and s.col_offset <= column), None)
    if isinstance(statement, ast.Assign):
        target = statement.targets[0]
    elif isinstance(statement, ast.AnnAssign):
        target = statement.target
    else:
        return ""
    return _target_name(target, code)


def _target_name(target: ast.expr, code: CodeType) -> str:
    if isinstance(target, ast.Name):
        return target.id
    if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) and target.value.id == "self":
        owner = code.co_qualname.rpartition(".")[0].rpartition(".")[2]
        return f"{owner}.{target.attr}" if owner and owner != "<locals>" else target.attr
    if isinstance(target, ast.Attribute | ast.Subscript):
        return ast.unparse(target)
    return ""


@lru_cache(maxsize=512)
def with_items(code: CodeType, line: int) -> tuple[WithItem, ...]:
    """The items of the `with` and `async with` statements around `line` of a function, outermost first."""
    tree = _function(code)
    found: list[WithItem] = []
    node: ast.AST | None = tree
    while node is not None:
        inner = None
        for child in ast.iter_child_nodes(node):
            first, last = getattr(child, "lineno", None), getattr(child, "end_lineno", None)
            if first is not None and last is not None and first <= line <= last:
                inner = child
                break
            if isinstance(child, ast.ExceptHandler | ast.match_case) and any(
                part.lineno <= line <= (part.end_lineno or part.lineno) for part in child.body
            ):
                inner = child
                break
        if isinstance(inner, ast.With | ast.AsyncWith):
            for item in inner.items:
                expression = item.context_expr
                # A line within the items themselves: those before it have been entered, the others are to come.
                if expression.lineno <= line:
                    found.append(WithItem(expression.lineno, ast.unparse(expression)))
        elif isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            break
        node = inner
    return tuple(found)


@lru_cache(maxsize=512)
def _function(code: CodeType) -> ast.AST | None:
    last = max((position[1] or 0 for position in code.co_positions()), default=0)
    first = code.co_firstlineno
    if not first <= last < first + _LINES:
        return None
    text = textwrap.dedent("".join(linecache.getlines(code.co_filename)[first - 1 : last]))
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return None
    ast.increment_lineno(tree, first - 1)
    return tree.body[0] if tree.body else None


def expression_name(text: str) -> str:
    """`db` of `db`, `self._lock` or `self._lock.acquire()`; empty where the expression is no plain reference."""
    text = text.removesuffix(".acquire()").removeprefix("self.")
    return text if text.replace(".", "").replace("_", "").isalnum() and not text[0].isdigit() else ""


def _is_reference(expression: ast.expr) -> bool:
    """`a`, `a.b`, `self.a.b`."""
    while isinstance(expression, ast.Attribute):
        expression = expression.value
    return isinstance(expression, ast.Name)


@lru_cache(maxsize=2048)
def awaited_name(code: CodeType, lasti: int) -> str:
    """What is awaited by the instruction: `queue` of `await self.queue.put(item)`; empty where it is not a call of one
    of the methods by which one waits, on a plain reference."""
    position = next(islice(code.co_positions(), lasti // 2, lasti // 2 + 1), None)
    if position is None or position[0] is None or position[1] is None:
        return ""
    first, last, start, end = position[0], position[1], position[2], position[3]
    lines = linecache.getlines(code.co_filename)[first - 1 : last]
    if not lines or start is None or end is None:
        return ""
    encoded = [line.encode() for line in lines]
    encoded[-1] = encoded[-1][:end]
    encoded[0] = encoded[0][start:]
    try:
        expression = ast.parse(b"".join(encoded).decode().strip(), mode="eval").body
    except (SyntaxError, ValueError, UnicodeDecodeError):
        return ""
    if isinstance(expression, ast.Await):
        expression = expression.value
    if isinstance(expression, ast.Call):
        return _called_on(expression)
    return expression_name(ast.unparse(expression)) if isinstance(expression, ast.Name | ast.Attribute) else ""


def _called_on(call: ast.Call) -> str:
    """`queue` of `queue.get()` and of `asyncio.wait_for(queue.get(), 5)`."""
    method = call.func
    if isinstance(method, ast.Attribute) and method.attr in _WAITS:
        return expression_name(ast.unparse(method.value)) if _is_reference(method.value) else ""
    name = method.attr if isinstance(method, ast.Attribute) else method.id if isinstance(method, ast.Name) else ""
    inner = call.args[0] if call.args else None
    return _called_on(inner) if name == "wait_for" and isinstance(inner, ast.Call) else ""
