# SPDX-License-Identifier: Apache-2.0
"""The rows of a table at a moment: filtered, grouped, sorted, and a page of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from peeps_otel.report.sentences import duration

from .column import Column, Type, Value
from .kinds import STATES, Table
from .language import Test, quoted
from .moment import Moment, Subject

Json = dict[str, Any]

_STATE_RANK = {state: rank for rank, state in enumerate(STATES)}
_LAST = (1, "")


class Page(NamedTuple):
    """`rows`: as the API answers them. `total`: how many things there are; `matched`: that pass the filter; `lines`:
    rows that come of them, of which these are some."""

    rows: list[Json]
    total: int
    matched: int
    lines: int


class Arranger:
    """`group`: the key of a column, or empty; `sort`: keys of columns, `-` before one: the largest first."""

    def __init__(self, table: Table, moment: Moment, tests: Sequence[Test], group: str = "", sort: Sequence[str] = ()):
        self._table, self._moment, self._tests = table, moment, tests
        self._group = table.column(group) if group else None
        self._apart = [column for key in table.apart if (column := table.column(key)) is not None]
        self._order = [*map(self._ranker, sort or table.order)]

    def page(self, offset: int, limit: int) -> Page:
        subjects = list(self._table.subjects(self._moment))
        kept = self._kept(subjects)
        groups = self._grouped(kept)
        rows = [self._row(members) for members in groups[offset : offset + limit]]
        return Page(rows, len(subjects), len(kept), len(groups))

    def cells(self, limit: int, columns: Sequence[Column]) -> list[list[Value]]:
        """One row for each thing, ungrouped, for a file; times since then as seconds."""
        kept = self._kept(self._table.subjects(self._moment))
        return [[self._in_file(column, one) for column in columns] for one in kept[:limit]]

    def _kept(self, subjects: Iterable[Subject]) -> list[Subject]:
        kept = [one for one in subjects if all(test(self._moment, one) for test in self._tests)]
        return sorted(kept, key=self._rank)

    def _in_file(self, column: Column, subject: Subject) -> Value:
        value = column.of(self._moment, subject)
        if value is None or isinstance(value, str):
            return value
        if column.type is Type.SINCE:
            return max(self._moment.now_ns - value, 0) / 1e9
        return value / 1e9 if column.type is Type.DURATION else value

    def _grouped(self, subjects: list[Subject]) -> list[list[Subject]]:
        """In the order of the first of each. What is alike in the column and in those that keep apart is one."""
        if self._group is None:
            return [[one] for one in subjects]
        columns = [self._group, *self._apart]
        found: dict[tuple[Value, ...], list[Subject]] = {}
        for one in subjects:
            found.setdefault(tuple(column.of(self._moment, one) for column in columns), []).append(one)
        return list(found.values())

    def _row(self, members: list[Subject]) -> Json:
        first = members[0]
        cells: Json = {}
        words: dict[str, str] = {}
        for column in self._table.columns:
            if not column.is_shown:
                continue
            value = column.of_many([column.of(self._moment, one) for one in members])
            if value is None:
                continue
            cells[column.key] = value
            if column.type is Type.SINCE and not isinstance(value, str):
                words[column.key] = duration(max(self._moment.now_ns - int(value), 0))
            elif column.type is Type.DURATION and not isinstance(value, str):
                words[column.key] = duration(int(value))
            elif column.type is Type.PLACE:
                words[column.key] = self._moment.short(first.process, str(value))
        return {
            "id": first.id,
            "process": first.process,
            "count": len(members),
            "cells": cells,
            "words": words,
            "members": self._members(first) if len(members) > 1 else "",
        }

    def _members(self, first: Subject) -> str:
        """The filter that holds of exactly the members of the group."""
        columns = [*filter(None, [self._group]), *self._apart]
        parts = [quoted(column.key, column.of(self._moment, first)) for column in columns]
        return " ".join(dict.fromkeys(parts)) if all(parts) else ""

    def _rank(self, subject: Subject) -> tuple[tuple[int, Any], ...]:
        return tuple(rank(subject) for rank in self._order)

    def _ranker(self, key: str) -> Callable[[Subject], tuple[int, Any]]:
        column = self._table.column(key.lstrip("-"))
        assert column is not None, key
        of, moment, is_down = column.of, self._moment, key.startswith("-")
        if column.key == "state":
            worst = len(STATES)
            return lambda one: (_STATE_RANK.get(str(of(moment, one)), worst), "")

        def rank(subject: Subject) -> tuple[int, Any]:
            value = of(moment, subject)
            if value is None:
                return _LAST
            return (0, -value) if is_down and not isinstance(value, str) else (0, value)

        return rank
