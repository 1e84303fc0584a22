# SPDX-License-Identifier: Apache-2.0
"""POST /api/sql: one read-only statement over the database file."""

from __future__ import annotations

import re
import time
from typing import Any, cast

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from ..graph.live import LiveGraph
from ..store.sql_processes import SqlProcesses
from ..store.statement import Parameters, Statement, StatementFailed
from .answers import STATUS, ApiError
from .short_places import ShortPlaces

_ARROW = "application/vnd.apache.arrow.stream"
_BODY_BYTES = 1 << 20
_RESULT_BYTES = 16 << 20
_SECONDS = 5.0
_ROWS_JSON = 10_000
_ROWS_ARROW = 1_000_000
_PLACE = re.compile(r"(?:/|[A-Za-z]:[/\\])[^\n]*:\d+")  # `path:line`, and nothing beside it


class SqlRoute:
    """The endpoint. `seconds`: the time limit of one statement."""

    def __init__(self, processes: SqlProcesses, live: LiveGraph, seconds: float = _SECONDS) -> None:
        self._processes = processes
        self._live = live
        self._seconds = seconds

    async def sql(self, request: Request) -> Response:
        body = await body_of(request)
        arrow = wants_arrow(request)
        most = _ROWS_ARROW if arrow else _ROWS_JSON
        sql, parameters, limit = body.get("sql"), body.get("parameters", []), body.get("limit", _ROWS_JSON)
        if not isinstance(sql, str) or not sql.strip():
            raise ApiError(400, "sql", "sql must be a string with one statement")
        if not isinstance(parameters, list | dict):
            raise ApiError(400, "parameters", "parameters must be an array, or an object by name")
        if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= most:
            raise ApiError(400, "limit", f"limit must be a whole number from 1 to {most}")
        given = cast("Parameters", parameters)
        return await run_in_threadpool(self.run, sql, given, limit, arrow, b"", body.get("places") is True)

    def run(
        self,
        sql: str,
        parameters: Parameters,
        limit: int,
        arrow: bool,
        more: bytes,
        with_places: bool = True,
    ) -> Response:
        """`more`: further members of the answer, as JSON. Raises ApiError."""
        statement = Statement(sql, parameters, limit, _RESULT_BYTES, self._seconds, arrow)
        try:
            found = self._processes.run(statement)
        except StatementFailed as failed:
            raise ApiError(STATUS[failed.failure], "sql", str(failed)) from None
        except OSError as error:
            raise ApiError(503, "sql", f"the database cannot be read now ({error}); try again") from None
        if statement.arrow:
            headers = {"x-peeps-truncated": "true" if found.truncated else "false"}
            return Response(found.content, media_type=_ARROW, headers=headers)
        # It is an object already: only the time is put before it.
        content = b'{"now_ns":%d,' % time.time_ns() + (more + b"," if more else b"")
        if with_places:
            content += b'"places":%b,' % orjson.dumps(self._places(orjson.loads(found.content)["rows"]))
        content += found.content[1:]
        return Response(content, media_type="application/json")

    def _places(self, rows: list[list[Any]]) -> dict[str, str]:
        """The short form of each cell that is a place, relative to the innermost working directory of a process that it
        is in."""
        places = ShortPlaces(self._live)
        cells = {cell for row in rows for cell in row if type(cell) is str and _PLACE.fullmatch(cell)}
        return {cell: places.short(cell) for cell in cells}


def wants_arrow(request: Request) -> bool:
    return _ARROW in request.headers.get("accept", "")


async def body_of(request: Request) -> dict[str, Any]:
    """The JSON object that was sent. Raises ApiError."""
    content = bytearray()
    async for piece in request.stream():
        content += piece
        if len(content) > _BODY_BYTES:
            raise ApiError(413, "body", f"the request is larger than {_BODY_BYTES} bytes")
    try:
        body = orjson.loads(bytes(content))
    except orjson.JSONDecodeError as error:
        raise ApiError(400, "body", f"the body is not JSON: {error}") from None
    if not isinstance(body, dict):
        raise ApiError(400, "body", 'the body must be an object such as {"sql": "SELECT 1"}')
    return cast("dict[str, Any]", body)
