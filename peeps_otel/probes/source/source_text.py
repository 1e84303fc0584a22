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
    first, column = position[0], position[2] or 0
    spans = [(first, position[1] or first)]
    whole = (code.co_firstlineno, max((one[1] or 0 for one in code.co_positions()), default=0))
    if whole[1] < whole[0] + _LINES:  # the statement may have begun on an earlier line
        spans.append(whole)
    for start, end in spans:
        lines = linecache.getlines(code.co_filename)[start - 1 : end]
        text = textwrap.dedent("".join(lines))
        if not lines or not text:
            continue
        taken_off = len(lines[0]) - len(lines[0].lstrip()) - (len(text) - len(text.lstrip()))
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError):
            continue
        name = _assigned_at(tree, (first - start + 1, max(column - taken_off, 0)), code)
        if name:
            return name
    return ""


def _assigned_at(tree: ast.AST, at: tuple[int, int], code: CodeType) -> str:
    """Of the innermost assignment whose right side contains a place (line, column)."""
    name = ""
    node: ast.AST | None = tree
    while node is not None:
        targets = (
            node.targets
            if isinstance(node, ast.Assign)
            else [node.target]
            if isinstance(node, ast.AnnAssign | ast.NamedExpr)
            else []
        )
        value: ast.expr | None = getattr(node, "value", None) if targets else None
        if value is not None and _contains(value, at):
            name = _element_name(targets[0], value, at, code)
        node = next((child for child in ast.iter_child_nodes(node) if _contains(child, at)), None)
    return name


def _contains(node: ast.AST, at: tuple[int, int]) -> bool:
    if not isinstance(node, ast.stmt | ast.expr):  # a `comprehension`, a `keyword`: what is in it tells
        return any(_contains(child, at) for child in ast.iter_child_nodes(node))
    return (node.lineno, node.col_offset) <= at < (node.end_lineno or node.lineno, node.end_col_offset or 0)


def _element_name(target: ast.expr, value: ast.expr, at: tuple[int, int], code: CodeType) -> str:
    """The part of the target that the part of the value at a place is assigned to: `b` of `a, b = Lock(), Lock()`,
    `locks['b']` of `locks = {'a': Lock(), 'b': Lock()}`."""
    parts: list[ast.expr] = value.elts if isinstance(value, ast.Tuple | ast.List) else []
    place = next((place for place, part in enumerate(parts) if _contains(part, at)), None)
    if isinstance(target, ast.Tuple | ast.List):
        plain = not any(isinstance(one, ast.Starred) for one in [*target.elts, *parts])
        if place is None or not plain or len(target.elts) != len(parts):
            return ""
        return _element_name(target.elts[place], parts[place], at, code)
    name = _target_name(target, code)
    if not name:
        return ""
    if place is not None:
        return f"{name}[{place}]"
    if isinstance(value, ast.Dict):
        for key, part in zip(value.keys, value.values, strict=True):
            if isinstance(key, ast.Constant) and _contains(part, at):
                return f"{name}[{key.value!r}]"
    return name


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
    text = b"".join(encoded).decode(errors="replace").strip()
    try:
        expression = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError):
        return _iterated(text)
    if isinstance(expression, ast.Await):
        expression = expression.value
    if isinstance(expression, ast.Call):
        return _called_on(expression)
    return expression_name(ast.unparse(expression)) if isinstance(expression, ast.Name | ast.Attribute) else ""


def _iterated(text: str) -> str:
    """`queue` of `async for item in queue:` with what is in it."""
    try:
        statements = ast.parse(text).body
    except (SyntaxError, ValueError):
        return ""
    loop = statements[0] if len(statements) == 1 else None
    if not isinstance(loop, ast.AsyncFor) or not _is_reference(loop.iter):
        return ""
    return expression_name(ast.unparse(loop.iter))


def _called_on(call: ast.Call) -> str:
    """`queue` of `queue.get()` and of `asyncio.wait_for(queue.get(), 5)`."""
    method = call.func
    if isinstance(method, ast.Attribute) and method.attr in _WAITS:
        return expression_name(ast.unparse(method.value)) if _is_reference(method.value) else ""
    name = method.attr if isinstance(method, ast.Attribute) else method.id if isinstance(method, ast.Name) else ""
    inner = call.args[0] if call.args else None
    return _called_on(inner) if name == "wait_for" and isinstance(inner, ast.Call) else ""
