# SPDX-License-Identifier: Apache-2.0
"""The collector's query API over HTTP, with the standard library only."""

from __future__ import annotations

import json
import os
import re
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from typing import Any, Literal, cast
from urllib.error import HTTPError
from urllib.parse import quote, urlencode
from urllib.request import BaseHandler, HTTPSHandler, OpenerDirector, ProxyHandler, Request, build_opener

from .api import (
    Blame,
    Depths,
    Difference,
    Finding,
    FindingAnswer,
    Findings,
    Flame,
    Health,
    Heat,
    NodeAnswer,
    Processes,
    Rows,
    Snapshot,
    Timeline,
)
from .api_sql import Queries, Query, Result
from .shared import SharedAnswers

DEFAULT_API = "127.0.0.1:9130"
_TIMEOUT_S = 5.0
_HISTORY_TIMEOUT_S = 30.0
"""Of what is added up out of the whole history; the collector gives up before."""
_LARGEST_ANSWER = 64 * 2**20
_RECORDING, _QUERY, _SQL = "/api/recording", "/api/query", "/api/sql"
_OF_HISTORY = ("/api/blame", "/api/flame", "/api/heat", "/api/depths")
_OF_A_MOMENT = ("/api/query/", "/api/snapshot", "/api/findings", "/api/rows", "/api/node/", *_OF_HISTORY)

_EVERY_OTHER_TICK = ("/api/rows", "/api/node/", "/api/timeline", "/api/diff", *_OF_HISTORY)
"""What only pages ask for that are drawn anew every other second, or when somebody wishes."""
OF_ALL = SharedAnswers()
"""Of all viewers of this explorer."""

Trouble = Literal["unreachable", "not_found", "refused", "not_a_collector"]


class CollectorError(Exception):
    """Why an answer is missing: what happened, at which address, in words for a person."""

    def __init__(self, trouble: Trouble, address: str, message: str) -> None:
        super().__init__(f"{address}: {message}")
        self.trouble: Trouble = trouble
        self.address = address
        self.message = message


class _Unchanged(Exception):
    """What was asked for is what we have."""


@dataclass(frozen=True)
class Collector:
    """A collector at `address`: `host:port`, or a URL where it speaks TLS. `token`: what it wants to be shown.
    `certificate`: a PEM file to believe it by, and `key` where it wants ours. `at`: of which moment it is asked, as the
    API takes it; empty for now."""

    address: str
    token: str = field(default="", repr=False)
    certificate: str = ""
    key: str = ""
    at: str = ""
    shared: SharedAnswers = field(default_factory=lambda: OF_ALL, repr=False, compare=False)

    @classmethod
    def from_environment(cls) -> Collector:
        token, file = os.environ.get("PEEPS_TOKEN", "").strip(), os.environ.get("PEEPS_TOKEN_FILE", "").strip()
        if file:  # as the collector reads them
            token = Path(file).read_text().strip()
        return cls(
            os.environ.get("PEEPS_API") or DEFAULT_API,
            token,
            os.environ.get("PEEPS_TLS_CERT", ""),
            os.environ.get("PEEPS_TLS_KEY", ""),
        )

    def health(self) -> Health:
        return cast(Health, self._get("/health"))

    def processes(self) -> Processes:
        return cast(Processes, self._shared("/api/processes"))

    def findings(self) -> Findings:
        return cast(Findings, self._shared("/api/findings"))

    def finding(self, finding_id: str) -> Finding:
        """One finding, open or ended."""
        return cast(FindingAnswer, self._shared("/api/finding/" + quote(finding_id, safe=":@")))["finding"]

    def snapshot(
        self,
        *,
        processes: Sequence[str] = (),
        kinds: Sequence[str] = (),
        focus: str | None = None,
        depth: int | None = None,
        finding: str | None = None,
        text: str | None = None,
        filtered: str | None = None,
        limit: int | None = None,
    ) -> Snapshot:
        """`filtered`: in the language of the tables' filter."""
        parameters = [("process", p) for p in processes] + [("kind", k) for k in kinds]
        asked = {"focus": focus, "depth": depth, "finding": finding, "q": text, "filter": filtered, "limit": limit}
        parameters += [(name, str(value)) for name, value in asked.items() if value is not None]
        return cast(Snapshot, self._shared("/api/snapshot", parameters))

    def rows(self, table: str, *, query: str = "", group: str | None = None, offset: int = 0, limit: int = 200) -> Rows:
        """A page of a table. What is asked again is answered anew only where something has changed."""
        parameters = [("table", table), ("q", query), ("offset", str(offset)), ("limit", str(limit))]
        parameters += [("group", group)] if group else []
        return cast(Rows, self._shared("/api/rows", parameters, by_version=True))

    def rows_file(self, table: str, form: str, *, query: str = "") -> bytes:
        """The whole table as a file. `form`: csv or parquet."""
        return self._bytes("/api/rows", [("table", table), ("q", query), ("format", form)])

    def timeline(self) -> Timeline:
        """The recorded history of a day at a glance."""
        return cast(Timeline, self._shared("/api/timeline"))

    def recording(self) -> bytes:
        """The whole database as one file."""
        return self._bytes(_RECORDING)

    def difference(self, from_ns: int, to_ns: int, limit: int) -> Difference:
        """What is different between two moments."""
        parameters = [("from", str(from_ns)), ("to", str(to_ns)), ("limit", str(limit))]
        return cast(Difference, self._shared("/api/diff", parameters))

    def blame(self, since_s: int, processes: Sequence[str] = ()) -> Blame:
        """Whose code made others wait in the last `since_s` seconds."""
        return cast(Blame, self._shared("/api/blame", _window(since_s, processes)))

    def blame_file(self, since_s: int, form: str, processes: Sequence[str] = ()) -> bytes:
        """The same as a profile. `form`: folded, speedscope or pprof."""
        return self._bytes("/api/blame", [*_window(since_s, processes), ("format", form)])

    def flame(self, of: str, since_s: int, processes: Sequence[str] = ()) -> Flame:
        """`of`: blame, tasks, threads or cpu."""
        return cast(Flame, self._shared("/api/flame", [("of", of), *_window(since_s, processes)]))

    def heat(self, of: str, since_s: int, processes: Sequence[str] = ()) -> Heat:
        """`of`: waits or lag."""
        return cast(Heat, self._shared("/api/heat", [("of", of), *_window(since_s, processes)]))

    def depths(self, since_s: int, processes: Sequence[str] = (), offset: int = 0, limit: int = 12) -> Depths:
        """How full channels, pools and queues of executors were, the fullest first."""
        page = [("offset", str(offset)), ("limit", str(limit))]
        return cast(Depths, self._shared("/api/depths", [*_window(since_s, processes), *page]))

    def queries(self) -> list[Query]:
        """The questions with a name, ours first."""
        return cast(Queries, self._get(_QUERY))["queries"]

    def query(self, name: str, limit: int) -> Result:
        """The answer to one of them."""
        return cast(Result, self._get(f"{_QUERY}/{quote(name, safe='')}", [("limit", str(limit))]))

    def sql(self, sql: str, limit: int) -> Result:
        """Of a statement, in which `$1` is the moment (ns) and `$2` a list of process ids: none, which means all."""
        given = {"1": int(self.at) if self.at else time.time_ns(), "2": list[str]()}
        used = {key: value for key, value in given.items() if re.search(rf"\${key}\b", sql)}
        body = {"sql": sql, "parameters": used or [], "limit": limit, "places": True}
        return cast(Result, self._json(self._bytes(_SQL, body=body), _SQL))

    def save_query(self, name: str, text: str, sql: str) -> None:
        """Saves it under that name."""
        self._bytes(f"{_QUERY}/{quote(name, safe='')}", body={"sql": sql, "text": text}, method="PUT")

    def delete_query(self, name: str) -> None:
        """Deletes what was saved under that name."""
        self._bytes(f"{_QUERY}/{quote(name, safe='')}", method="DELETE")

    def node(self, node_id: str) -> NodeAnswer:
        return cast(NodeAnswer, self._shared("/api/node/" + quote(node_id, safe=":")))

    def _shared(
        self, path: str, parameters: Sequence[tuple[str, str]] = (), *, by_version: bool = False
    ) -> dict[str, Any]:
        """As `_get`; the answer is everybody's, and is not to be changed. `by_version`: the collector is told which
        version we have, and may say that it is the newest."""
        key = f"{self.address}{path}?{urlencode(parameters)} {self.at}"

        def ask(before: dict[str, Any] | None) -> dict[str, Any]:
            if before is None or not by_version:
                return self._get(path, parameters)
            try:
                return self._get(path, [*parameters, ("if_version", str(before["version"]))])
            except _Unchanged:
                return before

        seldom = path.startswith(_EVERY_OTHER_TICK) or (path == "/api/snapshot" and "finding" not in dict(parameters))
        return self.shared.get(key, ask, 2 if seldom else 1)

    def _get(self, path: str, parameters: Sequence[tuple[str, str]] = ()) -> dict[str, Any]:
        return self._json(self._bytes(path, parameters), path)

    def _json(self, content: bytes, path: str) -> dict[str, Any]:
        try:
            answer = json.loads(content)
        except ValueError:
            answer = None
        if not isinstance(answer, dict) or "now_ns" not in answer:
            raise CollectorError("not_a_collector", self.address, f"{path} did not answer like a peeps collector")
        return cast("dict[str, Any]", answer)

    def _bytes(
        self,
        path: str,
        parameters: Sequence[tuple[str, str]] = (),
        *,
        body: Mapping[str, Any] | None = None,
        method: str | None = None,
    ) -> bytes:
        if self.at and path.startswith(_OF_A_MOMENT):
            parameters = [*parameters, ("at", self.at)]
        base = self.address if "://" in self.address else f"http://{self.address}"
        url = base + path + ("?" + urlencode(parameters) if parameters else "")
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        sent = None if body is None else json.dumps(body).encode()
        request = Request(url, sent, headers | ({"Content-Type": "application/json"} if sent else {}), method=method)
        try:
            opener = _opener(self.certificate if self.address.startswith("https://") else "", self.key)
            patience_s = _HISTORY_TIMEOUT_S if path.startswith((_RECORDING, _QUERY, _SQL, *_OF_HISTORY)) else _TIMEOUT_S
            with opener.open(request, timeout=patience_s) as response:
                return response.read(-1 if path == _RECORDING else _LARGEST_ANSWER)
        except HTTPError as error:
            with error:
                if error.code == HTTPStatus.NOT_MODIFIED:
                    raise _Unchanged from None
                message = _error_message(error.read(65536)) or f"answered {error.code} {error.reason}"
            raise CollectorError("not_found" if error.code == 404 else "refused", self.address, message) from None
        except (OSError, HTTPException, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            raise CollectorError("unreachable", self.address, str(reason)) from None


def _window(since_s: int, processes: Sequence[str]) -> list[tuple[str, str]]:
    return [("since_s", str(since_s)), *(("process", one) for one in processes)]


@cache
def _opener(certificate: str, key: str) -> OpenerDirector:
    # A collector on the own machine is never behind a proxy, whatever the environment says.
    handlers: list[BaseHandler] = [ProxyHandler({})]
    if certificate:
        context = ssl.create_default_context(cafile=certificate)
        if key:
            context.load_cert_chain(certificate, key)
        handlers.append(HTTPSHandler(context=context))
    return build_opener(*handlers)


def _error_message(body: bytes) -> str | None:
    try:
        return str(json.loads(body)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return None
