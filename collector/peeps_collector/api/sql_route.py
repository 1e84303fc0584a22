# SPDX-License-Identifier: Apache-2.0
"""POST /api/sql: one read-only statement over the database file."""

from __future__ import annotations

from typing import Any, cast

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from ..store.arrow import ResultTooLarge
from ..store.reader import QueryError, QueryTimeout, Reader
from .answers import ApiError, answer, plain

_ARROW = "application/vnd.apache.arrow.stream"
_BODY_BYTES = 1 << 20
_RESULT_BYTES = 16 << 20
_SECONDS = 5.0
_ROWS_JSON = 10_000
_ROWS_ARROW = 1_000_000


class SqlRoute:
    """The endpoint. `seconds`: the time limit of one statement."""

    def __init__(self, reader: Reader, seconds: float = _SECONDS) -> None:
        self._reader = reader
        self._seconds = seconds

    async def sql(self, request: Request) -> Response:
        body = await _body(request)
        arrow = _ARROW in request.headers.get("accept", "")
        most = _ROWS_ARROW if arrow else _ROWS_JSON
        sql, parameters, limit = body.get("sql"), body.get("parameters", []), body.get("limit", _ROWS_JSON)
        if not isinstance(sql, str) or not sql.strip():
            raise ApiError(400, "sql", "sql must be a string with one statement")
        if not isinstance(parameters, list):
            raise ApiError(400, "parameters", "parameters must be an array")
        if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= most:
            raise ApiError(400, "limit", f"limit must be a whole number from 1 to {most}")
        return await run_in_threadpool(self._run, sql, cast("list[Any]", parameters), limit, arrow)

    def _run(self, sql: str, parameters: list[Any], limit: int, arrow: bool) -> Response:
        try:
            found = self._reader.query(sql, parameters, limit, _RESULT_BYTES, self._seconds)
        except QueryError as error:
            raise ApiError(400, "sql", str(error)) from None
        except QueryTimeout as error:
            raise ApiError(504, "sql", str(error)) from None
        except ResultTooLarge as error:
            raise ApiError(413, "sql", str(error)) from None
        if arrow:
            headers = {"x-peeps-truncated": "true" if found.result.truncated else "false"}
            return Response(found.result.ipc(), media_type=_ARROW, headers=headers)
        return answer(
            {
                "columns": [{"name": name, "type": kind} for name, kind in found.columns],
                "rows": [[plain(value) for value in row] for row in found.result.rows()],
                "truncated": found.result.truncated,
            }
        )


async def _body(request: Request) -> dict[str, Any]:
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
