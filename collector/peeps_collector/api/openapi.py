# SPDX-License-Identifier: Apache-2.0
"""GET /openapi.json: every endpoint and parameter of the query API, for programs. docs/api.md says what they mean."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..version import __version__

JSON = "application/json"
PARQUET = "application/vnd.apache.parquet"
ARROW = "application/vnd.apache.arrow.stream"


class Parameter(NamedTuple):
    """`kind`: integer, string or, repeatable, array."""

    name: str
    kind: str
    text: str


class Endpoint(NamedTuple):
    """`body`: names of the members of its JSON body, empty where it takes none. `types`: of its answers."""

    method: str
    path: str
    summary: str
    parameters: tuple[Parameter, ...] = ()
    body: tuple[str, ...] = ()
    types: tuple[str, ...] = (JSON,)


_PROCESS = Parameter("process", "array", "Only these processes, by id.")
_LIMIT = Parameter("limit", "integer", "At most so many.")
_AT = Parameter("at", "string", "As it was then: Unix epoch nanoseconds, or -90s, -10m, -2h. Absent: now.")
_FROM = Parameter("from", "string", "The earlier moment, as `at`.")
_TO = Parameter("to", "string", "The later moment, as `at`; absent: now.")
_SNAPSHOT = (
    _PROCESS,
    Parameter("kind", "array", "Only nodes of these kinds."),
    Parameter("focus", "string", "Only what is around this node."),
    Parameter("depth", "integer", "How many edges around `focus`."),
    Parameter("finding", "string", "Only the members of this finding, and what they block."),
    Parameter("q", "string", "Only those in whose label, kind, place or process all the words stand."),
    Parameter("filter", "string", "Only what a filter as of /api/rows holds of, and what that is joined to."),
    _LIMIT,
    Parameter("if_version", "integer", "Answers 304 where nothing has changed since."),
    _AT,
)
_ROWS = (
    Parameter("table", "string", "Of tasks, requests, locks, channels, pools, threads …"),
    Parameter("q", "string", "A filter: kind:lock waits>5s site:db.py."),
    Parameter("group", "string", "The column by which rows are put together, or none."),
    Parameter("sort", "array", "Columns; - before one: the largest first."),
    Parameter("offset", "integer", "The first row."),
    _LIMIT,
    Parameter("format", "string", "json, csv, parquet or arrow; a file is ungrouped and whole."),
    Parameter("if_version", "integer", "Answers 304 where nothing has changed since."),
    _AT,
)
_WINDOW = (Parameter("since_s", "integer", "How far back, in seconds."), _PROCESS, _AT)
_BLAME = (
    *_WINDOW,
    Parameter("all", "integer", "1: also waits for what has merely not come yet."),
    Parameter("format", "string", "table, folded, speedscope, pprof or otlp."),
)
ENDPOINTS = (
    Endpoint("get", "/health", "What it takes in, refuses and stores, and what fails."),
    Endpoint("get", "/live", "Whether it answers; under any name and without a token."),
    Endpoint("get", "/ready", "Whether it takes and stores what comes; under any name and without a token."),
    Endpoint("get", "/metrics", "Its own numbers, for Prometheus.", types=("text/plain",)),
    Endpoint("get", "/openapi.json", "This document."),
    Endpoint("get", "/api/processes", "Every process that is known."),
    Endpoint("get", "/api/snapshot", "The graph, now or at an earlier moment.", _SNAPSHOT),
    Endpoint(
        "get",
        "/api/timeline",
        "How much moved when, and when what was found.",
        (Parameter("since_s", "integer", "How far back, in seconds."),),
    ),
    Endpoint(
        "get", "/api/rows", "What is alive as a table, by pages.", _ROWS, types=(JSON, "text/csv", PARQUET, ARROW)
    ),
    Endpoint("get", "/api/diff", "What is different between two moments.", (_FROM, _TO, _PROCESS, _LIMIT)),
    Endpoint("get", "/api/chain/{id}", "What a node waits for, and that in turn, to the end.", (_AT, _LIMIT)),
    Endpoint("get", "/api/changes", "Server-sent events: something has changed.", types=("text/event-stream",)),
    Endpoint(
        "get",
        "/api/findings",
        "The verdict, and what is stuck.",
        (_PROCESS, Parameter("history", "integer", "1: also those that ended."), _AT),
    ),
    Endpoint("get", "/api/finding/{id}", "A finding, also after it has ended, with its evidence."),
    Endpoint("get", "/api/node/{id}", "A node, its edges and its history.", (_AT,)),
    Endpoint(
        "get",
        "/api/calls",
        "The requests in flight.",
        (_PROCESS, Parameter("least_ms", "integer", "Only those that have lasted so long."), _LIMIT),
    ),
    Endpoint("get", "/api/blame", "Waiting time, charged to who was in the way.", _BLAME, types=(JSON, "text/plain")),
    Endpoint(
        "get",
        "/api/recording",
        "The whole database as one file, for `peeps open`.",
        types=("application/octet-stream",),
    ),
    Endpoint(
        "get",
        "/api/flame",
        "Where time went, as the boxes of a flame graph.",
        (Parameter("of", "string", "blame, tasks, threads or cpu."), *_WINDOW, _LIMIT),
    ),
    Endpoint(
        "get",
        "/api/heat",
        "A histogram for each step of time.",
        (Parameter("of", "string", "waits or lag."), *_WINDOW),
    ),
    Endpoint(
        "get",
        "/api/depths",
        "How full channels, pools and queues of executors were.",
        (*_WINDOW, Parameter("offset", "integer", "The first of them."), _LIMIT),
    ),
    Endpoint("post", "/api/leaks", "Asks processes to look for what nothing can end.", (_PROCESS,)),
    Endpoint("get", "/api/leaks", "Their answers.", (Parameter("request", "array", "Of these requests."),)),
    Endpoint("post", "/api/looks", "Asks processes to look at once.", (_PROCESS,)),
    Endpoint("get", "/api/looks", "Their answers.", (Parameter("request", "array", "Of these requests."),)),
    Endpoint("post", "/api/cuts", "Asks processes for a complete snapshot each.", (_PROCESS,)),
    Endpoint("get", "/api/cuts", "Who has answered.", (Parameter("cut", "string", "Of this cut."),)),
    Endpoint("get", "/api/query", "The questions that have a name, with their statements."),
    Endpoint("get", "/api/query/{name}", "The answer to one of them.", (_PROCESS, _AT, _LIMIT), types=(JSON, ARROW)),
    Endpoint("put", "/api/query/{name}", "Saves a question under a name.", body=("sql", "text")),
    Endpoint("delete", "/api/query/{name}", "Deletes one that was saved."),
    Endpoint(
        "post",
        "/api/sql",
        "One read-only statement.",
        body=("sql", "parameters", "limit", "places"),
        types=(JSON, ARROW),
    ),
)


def document() -> dict[str, Any]:
    """OpenAPI 3.1."""
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in ENDPOINTS:
        paths.setdefault(endpoint.path, {})[endpoint.method] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Query API of peeps-collector", "version": __version__, "license": {"name": "Apache-2.0"}},
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {
                "Error": {
                    "type": "object",
                    "required": ["error"],
                    "properties": {
                        "error": {
                            "type": "object",
                            "required": ["field", "message"],
                            "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
                        }
                    },
                }
            },
        },
        "security": [{}, {"token": []}],
    }


def _in_path(name: str, text: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "description": text, "schema": {"type": "string"}}


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    parameters = [
        {
            "name": parameter.name,
            "in": "query",
            "required": parameter is _FROM,
            "description": parameter.text,
            "schema": {"type": "array", "items": {"type": "string"}}
            if parameter.kind == "array"
            else {"type": parameter.kind},
        }
        for parameter in endpoint.parameters
    ]
    if "{id}" in endpoint.path:
        parameters.insert(0, _in_path("id", "A node: kind:ULID."))
    if "{name}" in endpoint.path:
        parameters.insert(0, _in_path("name", "Of the question."))
    operation: dict[str, Any] = {
        "summary": endpoint.summary,
        "parameters": parameters,
        "responses": {
            "200": {"description": "The answer.", "content": {kind: {} for kind in endpoint.types}},
            "default": {
                "description": "An error, which names the parameter and what to do.",
                "content": {JSON: {"schema": {"$ref": "#/components/schemas/Error"}}},
            },
        },
    }
    if endpoint.body:
        members: dict[str, Any] = {name: {} for name in endpoint.body}
        operation["requestBody"] = {"content": {JSON: {"schema": {"type": "object", "properties": members}}}}
    return operation
