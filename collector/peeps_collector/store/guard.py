# SPDX-License-Identifier: Apache-2.0
"""What a statement may not do although it only reads: some functions write.

Where it has no process of its own, sizes are bounded, too: one call of a function that makes a value of any size cannot
be interrupted, and its memory is not counted by DuckDB's limit. Sizes must then be written in the statement, and
together be small. The statement is looked at as DuckDB itself parses it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, cast

import duckdb
import orjson

_SIZE_MOST = 1_000_000
_REPEAT_MOST = 10_000
# By function: which of its arguments say how large its value is.
_SIZED = {
    "repeat": (1,),
    "lpad": (1,),
    "rpad": (1,),
    "bar": (3,),
    "list_resize": (1,),
    "array_resize": (1,),
    "range": (0, 1),
    "generate_series": (0, 1),
}
_ELSEWHERE = ("postgres_", "ducklake_")
"""The beginnings of functions that reach another database, or the insides of the lake."""
_WRITES = {"checkpoint", "force_checkpoint", "write_log"}
_UNBOUND = {
    "query": "runs a statement that is not seen here",
    "query_table": "reads a table that is not named here",
    "json_execute_serialized_sql": "runs a statement that is not seen here",
    "format": "can make a text of any size",
    "printf": "can make a text of any size",
    "sleep_ms": "cannot be interrupted",
}
_EXPLAIN = re.compile(r"\s*explain\s+(?!analy[sz]e\b|\()(.*)", re.IGNORECASE | re.DOTALL)


class Refused(ValueError):
    """The statement is not run; says which function, and why."""


def check(cursor: duckdb.DuckDBPyConnection, sql: str, explain: bool, sizes: bool) -> None:
    """`sizes`: bounds them. Raises Refused; duckdb.Error where the statement is wrong."""
    if explain:
        inner = _EXPLAIN.fullmatch(sql)
        if inner is None:
            raise Refused("only EXPLAIN with a statement that reads is allowed, without options and without ANALYZE")
        sql = inner[1]
    ((text,),) = cursor.execute("SELECT json_serialize_sql(?::VARCHAR)", [sql]).fetchall()
    tree: dict[str, Any] = orjson.loads(text)
    if tree.get("error"):
        if explain:
            raise Refused("only a statement that reads can be explained")
        raise Refused(f"the statement cannot be read: {tree.get('error_message', '')}")
    product = 1
    for name, arguments, is_table in _calls(tree):
        if name in _WRITES:
            raise Refused(f"{name}() is not allowed: it writes")
        if name.startswith(_ELSEWHERE):
            raise Refused(f"{name}() is not allowed: it reads what is no table of peeps")
        if not sizes:
            continue
        if name in _UNBOUND:
            raise Refused(f"{name}() is not allowed: it {_UNBOUND[name]}")
        if name in _SIZED and not is_table:
            product *= _size(name, arguments)
            if product > _SIZE_MOST:
                raise Refused(f"{name}(): the sizes in the statement are together more than {_SIZE_MOST}")


def _size(name: str, arguments: list[Any]) -> int:
    sizes = [_constant(arguments[place]) for place in _SIZED[name] if place < len(arguments)]
    most = _REPEAT_MOST if name == "repeat" else _SIZE_MOST
    for size in sizes:
        if size is None or abs(size) > most:
            raise Refused(f"{name}() is allowed with a size that is written as a number of at most {most}")
    return max([1, *(abs(size) for size in sizes if size is not None)])


def _constant(argument: Any) -> int | None:
    """The whole number that is written there."""
    value = _members(argument)
    value = _members(value.get("expression", value))
    if value.get("class") != "CONSTANT":
        return None
    literal = _members(value.get("literal") or value.get("value"))
    text = literal.get("text", literal.get("value"))
    try:
        return int(str(text))
    except ValueError:
        return None


def _members(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _calls(tree: Any) -> Iterator[tuple[str, list[Any], bool]]:
    """Name, arguments, and whether it stands where a table does: that is made row by row, and can be interrupted."""
    todo: list[tuple[Any, bool]] = [(tree, False)]
    while todo:
        value, is_table = todo.pop()
        if isinstance(value, list):
            todo += [(item, False) for item in cast("list[Any]", value)]
        elif isinstance(value, dict):
            node = cast("dict[str, Any]", value)
            if "function_name" in node:
                arguments = cast("list[Any]", node.get("children") or node.get("arguments") or [])
                yield str(node["function_name"]).lower(), arguments, is_table
            table = node.get("type") == "TABLE_FUNCTION"
            todo += [(member, table and key == "function") for key, member in node.items()]
