# SPDX-License-Identifier: Apache-2.0
"""Hearing at once what the collector asks: a question to it that it answers when it has something to ask.

Without it a request is heard with the answer to the next snapshot. So whatever stands between us and the collector and
does not know the question (404), or a link by gRPC, only makes an answer later.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from .. import native
from ..model.change import Change
from .log_suppression import quiet
from .otel_names import suppressed
from .otlp import Endpoint
from .request import Request

CHANGES = (
    Change(
        "a daemon thread `peeps-requests`",
        "keeps one connection to our collector, over which it hears at once what that asks: nothing but looks",
        "once the collector has taken a snapshot",
        "ends with the program, and where nobody answers it",
        "`PEEPS_COLLECTOR_ENDPOINT`",
    ),
)

THREAD_NAME = "peeps-requests"
PATH = "/peeps/v1/requests"
_LEAST_S, _MOST_S = 1.0, 60.0
_UNKNOWN = 409
_NOT_OURS = frozenset({404, 405, 501})
_REQUESTS_MOST = 16


class RequestsHeard:
    """`start` and `stop` from any thread. `stream`: id and secret of the stream of snapshots; `asked`: called with each
    request, on a thread of ours."""

    def __init__(
        self, endpoint: Endpoint, stream: Callable[[], tuple[int, int]], asked: Callable[[Request], None]
    ) -> None:
        self._endpoint = endpoint
        self._stream = stream
        self._asked = asked
        self._ended = native.Event()
        self._thread: native.Thread | None = None

    def start(self) -> None:
        """Begins to listen, once. Does nothing where no thread can be started any more."""
        if self._thread is not None or self._endpoint.grpc:
            return
        self._ended = native.Event()
        self._thread = native.Thread(self._run, THREAD_NAME, self._ended)
        try:
            self._thread.start()
        except RuntimeError:
            self._thread = None

    def stop(self) -> None:
        """The thread ends with the answer that it waits for."""
        self._ended.set()
        self._thread = None

    def _run(self, ended: native.Event) -> None:
        ask: Any = None
        pause_s = _LEAST_S
        while not ended.is_set():
            status, found = 0, None
            try:
                with suppressed(), quiet():
                    ask = ask or self._endpoint.exporters().asker(f"{self._endpoint.url}{PATH}")
                    stream, secret = self._stream()
                    status, found = ask({"stream": f"{stream:016x}", "secret": f"{secret:016x}"})
            except Exception:
                ask = None
            if status in _NOT_OURS:
                return
            if status == 200:
                pause_s = _LEAST_S
                self._hear(found, ended)
                continue
            pause_s = _LEAST_S if status == _UNKNOWN else min(2 * pause_s, _MOST_S)
            ended.wait(pause_s)

    def _hear(self, found: Any, ended: native.Event) -> None:
        said = cast("dict[str, Any]", found).get("requests") if type(found) is dict else None
        for one in cast("list[Any]", said)[:_REQUESTS_MOST] if type(said) is list else []:
            values = cast("dict[str, Any]", one) if type(one) is dict else {}
            request = Request.parse(f"{values.get('kind')};id={values.get('id')}")
            if request is not None and not ended.is_set():
                try:
                    self._asked(request)
                except Exception:  # one request that fails is not answered; the next one is
                    continue
