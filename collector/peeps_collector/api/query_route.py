# SPDX-License-Identifier: Apache-2.0
"""/api/query, /api/query/{name}: questions with a name: ours (store/packs.py), and the users' (saved_queries.py)."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from ..store.packs import BY_NAME, PACKS, Pack
from ..store.saved_queries import NotSaved, SavedQueries, parameters_of
from .answers import ApiError, answer, moment_parameter, whole_parameter
from .sql_route import SqlRoute, body_of, wants_arrow

_ROWS = 50
_ROWS_MOST = 10_000


class QueryRoute:
    """The endpoints. The statements run as those of strangers do, within the same limits."""

    def __init__(self, sql: SqlRoute, saved: SavedQueries) -> None:
        self._sql = sql
        self._saved = saved

    async def known(self, _request: Request) -> Response:
        saved = await run_in_threadpool(self._saved.known)
        return answer({"queries": [_told(pack, False) for pack in PACKS] + [_told(pack, True) for pack in saved]})

    async def query(self, request: Request) -> Response:
        name: str = request.path_params["name"]
        limit = whole_parameter(request, "limit", _ROWS, 1, _ROWS_MOST)
        at_ns = moment_parameter(request, "at") or time.time_ns()
        processes = request.query_params.getlist("process")
        return await run_in_threadpool(self._answer, name, at_ns, processes, limit, wants_arrow(request))

    async def save(self, request: Request) -> Response:
        name: str = request.path_params["name"]
        body = await body_of(request)
        for member in ("sql", "text"):
            if not isinstance(body.get(member, ""), str):
                raise ApiError(400, member, f"{member} must be a string")
        with _refusing():
            pack = await run_in_threadpool(self._saved.save, name, body.get("text", ""), body.get("sql", ""))
        return answer(_told(pack, True))

    async def delete(self, request: Request) -> Response:
        name: str = request.path_params["name"]
        with _refusing():
            found = await run_in_threadpool(self._saved.delete, name)
        if not found:
            raise self._unknown(name)
        return answer({"deleted": name})

    def _answer(self, name: str, at_ns: int, processes: list[str], limit: int, arrow: bool) -> Response:
        pack = BY_NAME.get(name) or self._saved.find(name)
        if pack is None:
            raise self._unknown(name)
        try:
            used = parameters_of(pack.sql)
        except NotSaved as wrong:  # a file that somebody wrote by hand
            raise ApiError(400, wrong.field, f"{name}: {pack.text if not pack.sql else wrong}") from None
        given = {key: value for key, value in {"1": at_ns, "2": processes}.items() if key in used}
        more = {} if arrow else {"query": pack.name, "text": pack.text, "at_ns": at_ns}
        return self._sql.run(pack.sql, given, limit, arrow, orjson.dumps(more)[1:-1])

    def _unknown(self, name: str) -> ApiError:
        known = [pack.name for pack in (*PACKS, *self._saved.known())]
        return ApiError(404, "name", f"no query is called {name[:80]!r}; there are {', '.join(known)}")


@contextmanager
def _refusing() -> Generator[None]:
    """Turns why something was not saved or deleted into an ApiError."""
    try:
        yield
    except NotSaved as refused:
        raise ApiError(400, refused.field, str(refused)) from None


def _told(pack: Pack, is_saved: bool) -> dict[str, Any]:
    return {"name": pack.name, "text": pack.text, "sql": pack.sql, "saved": is_saved}
