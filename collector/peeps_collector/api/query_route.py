# SPDX-License-Identifier: Apache-2.0
"""GET /api/query, /api/query/{name}: questions with a name (store/packs.py)."""

from __future__ import annotations

import time

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from ..store.packs import BY_NAME, PACKS
from .answers import ApiError, answer, moment_parameter, whole_parameter
from .sql_route import SqlRoute, wants_arrow

_ROWS = 50
_ROWS_MOST = 10_000


class QueryRoute:
    """The endpoints. The statements run as those of strangers do, within the same limits."""

    def __init__(self, sql: SqlRoute) -> None:
        self._sql = sql

    async def known(self, _request: Request) -> Response:
        return answer({"queries": [{"name": pack.name, "text": pack.text, "sql": pack.sql} for pack in PACKS]})

    async def query(self, request: Request) -> Response:
        name: str = request.path_params["name"]
        pack = BY_NAME.get(name)
        if pack is None:
            raise ApiError(404, "name", f"no query is called {name[:80]!r}; there are {', '.join(BY_NAME)}")
        limit = whole_parameter(request, "limit", _ROWS, 1, _ROWS_MOST)
        at_ns = moment_parameter(request, "at") or time.time_ns()
        given = [at_ns, request.query_params.getlist("process")]
        arrow = wants_arrow(request)
        more = {} if arrow else {"query": pack.name, "text": pack.text, "at_ns": at_ns}
        return await run_in_threadpool(self._sql.run, pack.sql, given, limit, arrow, orjson.dumps(more)[1:-1])
