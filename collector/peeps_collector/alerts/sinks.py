# SPDX-License-Identifier: Apache-2.0
"""Where alerts go. One that is slow or down delays nobody but itself, and is said once in the log."""

from __future__ import annotations

import json
import logging
import os
import queue
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from typing import Any, Protocol
from urllib.parse import urlsplit

Json = dict[str, Any]

_WAITING_MOST = 100
_TRIES = 3
_PAUSE_S = 2.0
_TIMEOUT_S = 10.0
_COMMAND_S = 60.0
_TEXT_ALONE = ("hooks.slack.com",)
"""Refuses what it does not know; others take the whole."""
_log = logging.getLogger(__name__)


class Sink(Protocol):
    """`send` may block; it raises where the alert was not taken."""

    @property
    def name(self) -> str: ...

    def send(self, told: Json) -> None: ...


class Webhook:
    """Posts the alert as JSON; `text` in it is what Slack, Mattermost and the like show."""

    def __init__(self, url: str) -> None:
        self._url = url
        parts = urlsplit(url)
        self.name = f"webhook {parts.scheme}://{parts.hostname}"  # the rest of the URL is often the secret
        self._text_alone = parts.hostname in _TEXT_ALONE
        self._opener = urllib.request.build_opener()

    def send(self, told: Json) -> None:
        body = {"text": told["text"]} if self._text_alone else told
        request = urllib.request.Request(self._url, json.dumps(body).encode(), {"content-type": "application/json"})
        with self._opener.open(request, timeout=_TIMEOUT_S) as response:
            response.read()


class Command:
    """Runs a program, not a shell, with the alert as JSON on its stdin and `PEEPS_ALERT_*` in its environment."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words = list(words)
        self.name = f"command {self._words[0]}"

    def send(self, told: Json) -> None:
        finding: Json = told["finding"]
        environment = os.environ | {
            "PEEPS_ALERT_EVENT": told["event"],
            "PEEPS_ALERT_TEXT": told["text"],
            "PEEPS_ALERT_LEVEL": finding["level"],
            "PEEPS_ALERT_KIND": finding["kind"],
            "PEEPS_ALERT_OPEN": finding["look_at"],
        }
        environment.pop("PEEPS_TOKEN", None)
        subprocess.run(
            self._words,
            input=json.dumps(told).encode(),
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_COMMAND_S,
            check=True,
        )


class Outbox:
    """A sink with its queue and its thread. `put` from any thread, and never waits."""

    def __init__(self, sink: Sink, pause: Callable[[float], object] | None = None) -> None:
        self._sink = sink
        self._queue: queue.Queue[Json | None] = queue.Queue(_WAITING_MOST)
        self._ending = threading.Event()
        self._pause = pause or self._ending.wait
        self._thread = threading.Thread(target=self._run, name="peeps-alert", daemon=True)
        self.sent = self.lost = 0
        self.failure = ""
        """Why the last one was not taken; empty where it was."""

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """What waits is tried once more."""
        self._ending.set()
        self.put(None)
        self._thread.join(_TIMEOUT_S)

    def put(self, told: Json | None) -> None:
        try:
            self._queue.put_nowait(told)
        except queue.Full:
            self.lost += 1

    def status(self) -> Json:
        return {"to": self._sink.name, "sent": self.sent, "lost": self.lost, "failure": self.failure}

    def _run(self) -> None:
        while (told := self._queue.get()) is not None:
            for number in range(_TRIES):
                if self._try(told):
                    self.sent += 1
                    break
                if self._ending.is_set() or number == _TRIES - 1:
                    self.lost += 1
                    break
                self._pause(_PAUSE_S * 2**number)

    def _try(self, told: Json) -> bool:
        try:
            self._sink.send(told)
        except (OSError, urllib.error.URLError, subprocess.SubprocessError, ValueError) as error:
            why = f"{type(error).__name__}: {error}" if not isinstance(error, urllib.error.HTTPError) else str(error)
            if not self.failure:
                _log.warning("%s does not take alerts: %s", self._sink.name, why)
            self.failure = why
            return False
        self.failure = ""
        return True
