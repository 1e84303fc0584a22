# SPDX-License-Identifier: Apache-2.0
"""The shapes of the collector's answers to statements (docs/api.md)."""

from __future__ import annotations

from typing import Any, NotRequired, TypeAlias, TypedDict

Value: TypeAlias = str | int | float | bool | list[Any] | dict[str, Any] | None
"""Of one cell."""


class Query(TypedDict):
    """A question with a name. `saved`: by a user, else it comes with the collector."""

    name: str
    text: str
    sql: str
    saved: bool


class Queries(TypedDict):
    now_ns: int
    queries: list[Query]


class Column(TypedDict):
    name: str
    type: str


class Result(TypedDict):
    """Of a statement. `places`: the short form of the cells that are a place. `truncated`: there are more rows."""

    now_ns: int
    columns: list[Column]
    rows: list[list[Value]]
    places: NotRequired[dict[str, str]]
    truncated: bool
