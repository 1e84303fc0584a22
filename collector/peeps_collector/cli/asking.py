# SPDX-License-Identifier: Apache-2.0
"""Has processes do something and waits for their answers: one way for `peeps why` and `peeps why --leaks`."""

from __future__ import annotations

import time
import urllib.parse
from typing import Any

from .client import Client

Json = dict[str, Any]

_POLL_S = 0.1


def ask(client: Client, path: str, processes: list[str]) -> list[Json]:
    """The requests, one for each process that is alive. Raises ClientError."""
    query = urllib.parse.urlencode({"process": processes}, doseq=True)
    requests: list[Json] = client.post(f"{path}?{query}", {})["requests"]
    return requests


def answers(client: Client, path: str, requests: list[Json], *, heard_s: float, answer_s: float) -> list[Json]:
    """The requests as they are when all are answered, after `answer_s` at the latest; who has not even heard of his
    after `heard_s` is not waited for. Raises ClientError."""
    began = time.monotonic()
    ids = [request["request"] for request in requests]
    while ids:
        found: list[Json] = client.get(path, request=ids)["requests"]
        passed = time.monotonic() - began
        waiting = [r for r in found if r["state"] == "told" or (r["state"] == "waiting" and passed < heard_s)]
        if not waiting or passed > answer_s:
            return found
        time.sleep(_POLL_S)
    return []


def wait_for_findings(client: Client, wanted: set[str], seconds: float) -> None:
    """The findings come by another way than the answer: until they are here, too. Raises ClientError."""
    wanted = set(wanted)
    deadline = time.monotonic() + seconds
    while wanted and time.monotonic() < deadline:
        wanted -= {finding["id"] for finding in client.get("/api/findings", history="1")["findings"]}
        if wanted:
            time.sleep(_POLL_S)
