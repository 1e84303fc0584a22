# SPDX-License-Identifier: Apache-2.0
"""Rewriting functions of the standard library in place.

A wrapper costs a frame and a call on every operation and misses every reference taken before it was put there. So
instead a function's own source is parsed, statements are inserted at counted anchors, the result is compiled with the
original file name and line numbers, and `__code__` is exchanged: the same number of frames, the same tracebacks, and
aliases such as `from asyncio import Lock` or bound methods stored earlier are included. Where the source differs from
what was expected, nothing is changed.

Coroutines that are suspended in rewritten code go on in it after `undo`. So the names the inserted statements use stay
in the module for good.
"""

from __future__ import annotations

import ast
import inspect
import linecache
import textwrap
from collections.abc import Callable
from functools import cache
from types import CodeType, FunctionType
from typing import Any, NamedTuple

Matcher = Callable[[ast.stmt], bool]


class Mismatch(Exception):
    """The function is not the one the edit was written for."""


class Insert(NamedTuple):
    """Put `statements` before or after each statement that `matches`; there must be exactly `times` of them."""

    matches: Matcher
    statements: str
    times: int
    before: bool = False


def assigns(attribute: str, value: bool) -> Matcher:
    """`self.<attribute> = True` or `False`."""

    def match(statement: ast.stmt) -> bool:
        return (
            isinstance(statement, ast.Assign)
            and isinstance(statement.targets[0], ast.Attribute)
            and statement.targets[0].attr == attribute
            and isinstance(statement.value, ast.Constant)
            and statement.value.value is value
        )

    return match


def awaits(name: str) -> Matcher:
    """`await <name>` as a statement of its own."""

    def match(statement: ast.stmt) -> bool:
        return (
            isinstance(statement, ast.Expr)
            and isinstance(statement.value, ast.Await)
            and isinstance(statement.value.value, ast.Name)
            and statement.value.value.id == name
        )

    return match


def returns(name: str | bool) -> Matcher:
    """`return <name>`, or `return True`."""

    def match(statement: ast.stmt) -> bool:
        if not isinstance(statement, ast.Return):
            return False
        if isinstance(name, bool):
            return isinstance(statement.value, ast.Constant) and statement.value.value is name
        return isinstance(statement.value, ast.Name) and statement.value.id == name

    return match


def adds_to(attribute: str) -> Matcher:
    """`self.<attribute> += …`."""

    def match(statement: ast.stmt) -> bool:
        return (
            isinstance(statement, ast.AugAssign)
            and isinstance(statement.op, ast.Add)
            and isinstance(statement.target, ast.Attribute)
            and statement.target.attr == attribute
        )

    return match


def sets_result_of(name: str) -> Matcher:
    """`<name>.set_result(…)` as a statement of its own."""

    def match(statement: ast.stmt) -> bool:
        return (
            isinstance(statement, ast.Expr)
            and isinstance(statement.value, ast.Call)
            and isinstance(statement.value.func, ast.Attribute)
            and statement.value.func.attr == "set_result"
            and isinstance(statement.value.func.value, ast.Name)
            and statement.value.func.value.id == name
        )

    return match


def calls(name: str, method: str) -> Matcher:
    """`<name>.<method>()` as a statement of its own."""

    def match(statement: ast.stmt) -> bool:
        return (
            isinstance(statement, ast.Expr)
            and isinstance(statement.value, ast.Call)
            and isinstance(statement.value.func, ast.Attribute)
            and statement.value.func.attr == method
            and isinstance(statement.value.func.value, ast.Name)
            and statement.value.func.value.id == name
        )

    return match


def is_last(function: FunctionType) -> Matcher:
    """The last statement of the function's body."""
    line = function_tree(function).body[-1].lineno
    return lambda statement: statement.lineno == line


def rewritten(function: FunctionType, edits: list[Insert]) -> CodeType:
    """The code of `function` with `edits` applied. Raises Mismatch, and OSError where there is no source."""
    tree = function_tree(function)
    for edit in edits:
        insert(tree, edit, function.__qualname__)
    code = compile_function(tree, function.__code__)
    if code.co_freevars != function.__code__.co_freevars:
        raise Mismatch(f"{function.__qualname__}: other free variables")
    return code


def insert(tree: ast.AST, edit: Insert, name: str) -> None:
    """Applies one edit to a tree. Raises Mismatch where the number of anchors is not the expected one."""
    hits = _apply(tree, edit)
    if hits != edit.times:
        raise Mismatch(f"{name}: {hits} places found where {edit.times} were expected")


def function_tree(function: FunctionType) -> ast.FunctionDef | ast.AsyncFunctionDef:
    """The syntax tree of a function, with the line numbers of its file and without decorators. Raises Mismatch, and
    OSError where there is no source."""
    code = function.__code__
    try:
        tree = ast.parse(_source(code.co_filename, code.co_firstlineno))
    except (SyntaxError, OSError):  # not as simple as that
        lines, _ = inspect.getsourcelines(function)
        tree = ast.parse(textwrap.dedent("".join(lines)))
    ast.increment_lineno(tree, code.co_firstlineno - 1)
    node = tree.body[0]
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or node.name != function.__name__:
        raise Mismatch(f"{function.__qualname__}: the source at its line is something else")
    node.decorator_list = []
    return node


@cache
def _source(path: str, first: int) -> str:
    """The text of a function that begins at line `first`, flush left: up to the next line that is indented no further.

    `inspect` makes tokens of it all, which takes longer than everything else here. In a text that ends too early,
    within brackets or a string, there is a syntax error. OSError where the line is not to be had, or the text is not
    indented like that.
    """
    lines = _lines(path)[first - 1 :]
    if not lines:
        raise OSError(f"no source at {path}:{first}")
    margin = len(lines[0]) - len(lines[0].lstrip())
    inside, end = False, len(lines)
    for place, line in enumerate(lines):
        text = line.lstrip()
        if not text or text.startswith(("#", ")")):
            continue
        outside = len(line) - len(text) <= margin
        if inside and outside:
            end = place
            break
        inside = inside or not outside
    lines = lines[:end]
    if any(line[:margin].strip() for line in lines):
        raise OSError(f"lines below {path}:{first} are indented less than it is")
    return "".join(line[margin:] if line.strip() else "\n" for line in lines)


@cache
def _lines(path: str) -> list[str]:
    """`linecache` keeps what it has read: it is left as it was."""
    known = path in linecache.cache
    lines = linecache.getlines(path)
    if not known:
        linecache.cache.pop(path, None)
    return lines


def forget_sources() -> None:
    """For who has rewritten all that he would: the texts of whole modules are not kept for what comes later."""
    _source.cache_clear()
    _lines.cache_clear()


def compile_function(node: ast.FunctionDef | ast.AsyncFunctionDef, original: CodeType) -> CodeType:
    """Compiles `node` as if it stood where `original` stands."""
    module = ast.fix_missing_locations(ast.Module([node], []))
    compiled = compile(module, original.co_filename, "exec", dont_inherit=True)
    code = next(c for c in compiled.co_consts if isinstance(c, CodeType) and c.co_name == node.name)
    qualname = original.co_qualname.rpartition(".")
    return code.replace(co_qualname=f"{qualname[0]}{qualname[1]}{node.name}")


def _apply(node: ast.AST, edit: Insert) -> int:
    hits = 0
    for field in ("body", "orelse", "finalbody", "handlers"):
        block: list[Any] | None = getattr(node, field, None)
        if not isinstance(block, list):
            continue
        out: list[Any] = []
        for statement in block:
            hits += _apply(statement, edit)
            if not isinstance(statement, ast.stmt) or not edit.matches(statement):
                out.append(statement)
                continue
            hits += 1
            new = ast.parse(edit.statements).body
            for inserted in new:
                for part in ast.walk(inserted):
                    ast.copy_location(part, statement)
            out += [*new, statement] if edit.before else [statement, *new]
        setattr(node, field, out)
    return hits
