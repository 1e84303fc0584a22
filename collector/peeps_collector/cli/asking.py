# SPDX-License-Identifier: Apache-2.0
"""Has processes do something and waits for their answers: one way for `peeps why` and `peeps why --leaks`."""

from __future__ import annotations

import time
import urllib.parse
from typing import Any, NamedTuple

from peeps_otel.report.style import printable

from .client import Client

Json = dict[str, Any]

_POLL_S = 0.1


class Answered(NamedTuple):
    """What came of the request to one process; `name`: of the process, for a person."""

    name: str
    request: Json


def ask(
    client: Client, path: str, process: str | None, *, heard_s: float, answer_s: float, findings_s: float
) -> list[Answered]:
    """Asks each process that is alive, or those that `process` names, and waits for the answers for `answer_s` at the
    most, then for the findings they speak of for `findings_s`. Who has not even heard of his request after `heard_s` is
    not waited for. Raises ClientError."""
    query = urllib.parse.urlencode({"process": client.process_ids(process)}, doseq=True)
    requests = _answers(client, path, client.post(f"{path}?{query}", {})["requests"], heard_s, answer_s)
    if not requests:
        return []
    _wait_for_findings(client, {one for r in requests if r["answer"] for one in r["answer"]["findings"]}, findings_s)
    processes: list[Json] = client.get("/api/processes")["processes"]
    names = {p["id"]: f"{p['service']} (pid {p['pid']})" for p in processes}
    return [Answered(printable(names.get(one["process"], str(one["process"]))), one) for one in requests]


def _answers(client: Client, path: str, requests: list[Json], heard_s: float, answer_s: float) -> list[Json]:
    """The requests as they are when all are answered."""
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


def _wait_for_findings(client: Client, wanted: set[str], seconds: float) -> None:
    """The findings come by another way than the answer: until they are here, too."""
    deadline = time.monotonic() + seconds
    while wanted and time.monotonic() < deadline:
        wanted -= {finding["id"] for finding in client.get("/api/findings", history="1")["findings"]}
        if wanted:
            time.sleep(_POLL_S)
