# SPDX-License-Identifier: Apache-2.0
"""GET /api/rows: what is alive as tables, a page at a time."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ..graph.findings import FindingRegistry
from ..graph.live import LiveGraph
from ..store.past import pictures_at, view_at
from ..store.reader import Reader
from ..tables import export
from ..tables.arrange import Arranger
from ..tables.kinds import BY_NAME, TABLES, Table
from ..tables.language import FilterError, parse
from ..tables.moment import Moment
from .answers import ApiError, answer, asked_of_database, moment_parameter, whole_parameter
from .lacks import lacks, of_pictures
from .moments import moment_now, moment_then

_FORMATS = ("json", "csv", "parquet", "arrow")
_MOST_IN_FILE = 100_000


class RowRoutes:
    """The endpoint; called on worker threads."""

    def __init__(self, live: LiveGraph, findings: FindingRegistry, reader: Reader) -> None:
        self._live = live
        self._findings = findings
        self._reader = reader

    def rows(self, request: Request) -> Response:
        table = _table(request)
        at_ns = moment_parameter(request, "at")
        form = _one_of(request, "format", _FORMATS)
        known = request.query_params.get("if_version")
        if known is not None and at_ns is None and form == "json" and known == str(self._live.version):
            return Response(status_code=304)
        offset = whole_parameter(request, "offset", 0, 0, 10_000_000)
        limit = whole_parameter(request, "limit", 200, 1, 5000)
        group = _one_of(request, "group", ("none", *(c.key for c in table.columns)), table.group or "none")
        try:
            tests = parse(request.query_params.get("q", ""), table.columns)
        except FilterError as error:
            raise ApiError(400, "q", str(error)) from None
        moment, lacking = self._now() if at_ns is None else self._then(at_ns)
        arranger = Arranger(table, moment, tests, "" if group == "none" else group, _sort(request, table))
        if form != "json":
            return _file(form, table, arranger)
        page = arranger.page(offset, limit)
        return answer(
            {
                "now_ns": moment.now_ns,
                "version": moment.view.version,
                "table": table.name,
                "tables": [
                    {"name": one.name, "title": one.title, "count": sum(1 for _ in one.subjects(moment))}
                    for one in TABLES
                ],
                "group": group,
                "columns": [
                    {"key": c.key, "title": c.title, "type": c.type.value, "shown": c.is_shown} for c in table.columns
                ],
                "rows": page.rows,
                "total": page.total,
                "matched": page.matched,
                "lines": page.lines,
            }
            | lacking
        )

    def _now(self) -> tuple[Moment, dict[str, Any]]:
        """With what it lacks."""
        moment = moment_now(self._live, self._findings)
        return moment, lacks(self._live, (), moment.now_ns)

    def _then(self, at_ns: int) -> tuple[Moment, dict[str, Any]]:
        with asked_of_database("at"):
            view, pictures = view_at(self._reader, at_ns), pictures_at(self._reader, at_ns)
        return moment_then(self._live, view, at_ns, pictures), {"at_ns": at_ns} | of_pictures(pictures)


def _table(request: Request) -> Table:
    return BY_NAME[_one_of(request, "table", tuple(BY_NAME))]


def _one_of(request: Request, name: str, allowed: tuple[str, ...], default: str | None = None) -> str:
    text = request.query_params.get(name, allowed[0] if default is None else default)
    if text not in allowed:
        raise ApiError(400, name, f"{name}={text[:40]!r} is none of {', '.join(allowed)}")
    return text


def _sort(request: Request, table: Table) -> list[str]:
    wanted = request.query_params.getlist("sort")
    for key in wanted:
        if table.column(key.removeprefix("-")) is None:
            raise ApiError(400, "sort", f"{key[:40]!r} is none of {', '.join(c.key for c in table.columns)}")
    return wanted


_FILES = {
    "csv": (export.as_csv, "text/csv; charset=utf-8"),
    "parquet": (export.as_parquet, "application/vnd.apache.parquet"),
    "arrow": (export.as_arrow, "application/vnd.apache.arrow.stream"),
}


def _file(form: str, table: Table, arranger: Arranger) -> Response:
    cells = arranger.cells(_MOST_IN_FILE, table.columns)
    make, kind = _FILES[form]
    name = f'attachment; filename="peeps-{table.name}.{form}"'
    return Response(make(table.columns, cells), media_type=kind, headers={"content-disposition": name})
