# SPDX-License-Identifier: Apache-2.0
"""The query API as a Starlette application.

A route is a function of a `*_routes.py` here and an endpoint of `openapi.py`, which a test compares; docs/api.md tells
it.

On loopback it may be without authentication, so a page in the user's browser must not reach it: a request is answered
only under a name that is ours (against DNS rebinding) and only from a page that is ours (`Origin`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import duckdb
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from ..access import refusal_of as token_refusal
from ..cuts import Cuts
from ..exposition import MEDIA_TYPE, exposition
from ..graph.findings import FindingRegistry
from ..graph.live import LiveGraph
from ..names import LOOPBACK_NAMES, refusal_of
from ..quotas import Quotas
from ..requests_out import ATTENTION, LEAKS, ProcessRequests
from ..store.database import Database
from ..store.plain import json_bytes
from ..store.reader import Reader
from ..store.saved_queries import SavedQueries
from ..store.sql_processes import SqlProcesses
from .answers import ApiError, answer, error_answer
from .blame_route import BlameRoute
from .call_routes import CallRoutes
from .change_stream import ChangeStream
from .cut_routes import CutRoutes
from .finding_routes import FindingRoutes
from .graph_routes import GraphRoutes
from .openapi import document
from .past_routes import PastRoutes
from .query_route import QueryRoute
from .recording_route import RecordingRoute
from .request_routes import RequestRoutes
from .row_routes import RowRoutes
from .slow_routes import SlowRoutes
from .sql_route import SqlRoute
from .timeline_route import TimelineRoute

# By any name and without a token: they say nothing else. Who probes a container calls it by its address.
_LIVE, _READY = "/live", "/ready"


def create_app(
    live: LiveGraph,
    findings: FindingRegistry,
    reader: Reader,
    processes: SqlProcesses,
    health: Callable[[], dict[str, Any]],
    hosts: Collection[str] = (),
    sql_seconds: float = 5.0,
    requests: ProcessRequests | None = None,
    token: str = "",
    database: Database | None = None,
    quotas: Quotas | None = None,
    saved: SavedQueries | None = None,
) -> ASGIApp:
    """`health`: what GET /health answers. `hosts`: further names under which the API may be addressed. `token`: what
    must be shown, see access.py."""
    graph = GraphRoutes(live, findings, reader, quotas or Quotas())
    told = FindingRoutes(live, findings, reader)
    sql = SqlRoute(processes, live, sql_seconds)
    queries = QueryRoute(sql, saved or SavedQueries(None))
    asked = requests or ProcessRequests()
    leaks, looks = RequestRoutes(LEAKS, live, asked), RequestRoutes(ATTENTION, live, asked)
    cuts = CutRoutes(live, Cuts(asked))
    profile = BlameRoute(live, reader)
    slow = SlowRoutes(live, reader)
    past = PastRoutes(live, findings, reader)

    def get_health(_request: Request) -> Response:
        return answer(health())

    def get_document(_request: Request) -> Response:
        return Response(json_bytes(document()), media_type="application/json")

    def get_live(_request: Request) -> Response:
        return answer({"live": True})

    def get_ready(_request: Request) -> Response:
        ready = health()["status"] == "ok"
        return answer({"ready": ready}, 200 if ready else 503)

    def get_metrics(_request: Request) -> Response:
        return Response(exposition(health()), media_type=MEDIA_TYPE)

    app = Starlette(
        routes=[
            Route("/health", get_health),
            Route(_LIVE, get_live),
            Route(_READY, get_ready),
            Route("/metrics", get_metrics),
            Route("/api/processes", graph.processes),
            Route("/api/snapshot", graph.snapshot),
            Route("/api/timeline", TimelineRoute(findings, reader).timeline),
            Route("/api/rows", RowRoutes(live, findings, reader).rows),
            Route("/api/findings", told.findings),
            Route("/api/finding/{id:path}", told.finding),
            Route("/api/node/{id:path}", graph.node),
            Route("/openapi.json", get_document),
            Route("/api/diff", past.diff),
            Route("/api/chain/{id:path}", past.chain),
            Route("/api/changes", ChangeStream(live, findings).changes),
            Route("/api/calls", CallRoutes(live, findings.trace_url).calls),
            Route("/api/blame", profile.blame),
            Route("/api/flame", slow.flame),
            Route("/api/heat", slow.heat),
            Route("/api/depths", slow.depths),
            *([Route("/api/recording", RecordingRoute(database).recording)] if database else []),
            Route("/api/leaks", leaks.ask, methods=["POST"]),
            Route("/api/leaks", leaks.answers),
            Route("/api/looks", looks.ask, methods=["POST"]),
            Route("/api/looks", looks.answers),
            Route("/api/cuts", cuts.begin, methods=["POST"]),
            Route("/api/cuts", cuts.known),
            Route("/api/query", queries.known),
            Route("/api/query/{name}", queries.query),
            Route("/api/query/{name}", queries.save, methods=["PUT"]),
            Route("/api/query/{name}", queries.delete, methods=["DELETE"]),
            Route("/api/sql", sql.sql, methods=["POST"]),
        ],
        exception_handlers={
            ApiError: _api_error,
            HTTPException: _http_error,
            duckdb.FatalException: _shut,
            duckdb.ConnectionException: _shut,
            Exception: _failure,
        },
    )
    return _Door(app, LOOPBACK_NAMES | {host.lower() for host in hosts}, token)


class _Door:
    """Refuses requests that another site's page may be behind (names.py), and those without the token (access.py)."""

    def __init__(self, app: ASGIApp, names: Collection[str], token: str) -> None:
        self._app = app
        self._names = names
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in {_LIVE, _READY}:
            headers = dict(scope["headers"])
            # No page has the token, so an address is as good as a name: Prometheus finds a container by its address.
            if refusal := refusal_of(headers, self._names, plain=bool(self._token)):
                await error_answer(403, "host", refusal)(scope, receive, send)
                return
            shown = headers.get(b"authorization", b"")
            if refusal := token_refusal(shown, self._token):
                await error_answer(401, "authorization", refusal)(scope, receive, send)
                return
        await self._app(scope, receive, send)


async def _api_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return error_answer(error.status, error.field, error.message)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return error_answer(error.status_code, "path", f"{request.method} {request.url.path}: {error.detail}")


async def _shut(_request: Request, error: Exception) -> Response:
    what = f"the database is being opened anew; try again ({str(error).splitlines()[0]})"
    return error_answer(503, "database", what)


async def _failure(_request: Request, error: Exception) -> Response:
    return error_answer(500, "", f"the collector failed: {type(error).__name__}: {error}")
