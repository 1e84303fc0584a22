# SPDX-License-Identifier: Apache-2.0
"""`peeps why --leaks`: has the processes look for tasks that nothing can wake, before the verdict is asked for."""

from __future__ import annotations

import time
import urllib.parse
from typing import Any

from ..wording import duration
from .client import Client, ClientError
from .style import printable

Json = dict[str, Any]

_ANSWER_S = 330.0
_HEARD_S = 15.0
_POLL_S = 0.2
_FINDINGS_S = 5.0


def check(client: Client, process: str | None) -> list[str]:
    """Waits until every process has answered, and for the findings; says per process what was done. Raises
    ClientError."""
    ids = client.process_ids(process)
    query = urllib.parse.urlencode({"process": ids}, doseq=True)
    requests: list[Json] = client.post(f"/api/leaks?{query}", {})["requests"]
    if not requests:
        raise ClientError("no program is connected that could look for leaks")
    answered = _answers(client, [request["request"] for request in requests])
    wanted: set[str] = set()
    for request in answered:
        wanted.update(request["answer"]["findings"] if request["answer"] else ())
    _findings(client, wanted)
    processes: list[Json] = client.get("/api/processes")["processes"]
    names: dict[str, str] = {p["id"]: f"{p['service']} (pid {p['pid']})" for p in processes}
    return [_sentence(names.get(str(request["process"]), str(request["process"])), request) for request in answered]


def _answers(client: Client, requests: list[str]) -> list[Json]:
    began = time.monotonic()
    while True:
        found: list[Json] = client.get("/api/leaks", request=requests)["requests"]
        passed = time.monotonic() - began
        waiting = [r for r in found if r["state"] == "told" or (r["state"] == "waiting" and passed < _HEARD_S)]
        if not waiting or passed > _ANSWER_S:
            return found
        time.sleep(_POLL_S)


def _findings(client: Client, wanted: set[str]) -> None:
    """The findings come by another way than the answer: until they are here, too."""
    deadline = time.monotonic() + _FINDINGS_S
    while wanted and time.monotonic() < deadline:
        wanted -= {finding["id"] for finding in client.get("/api/findings", history="1")["findings"]}
        if wanted:
            time.sleep(_POLL_S)


def _sentence(name: str, request: Json) -> str:
    answer: Json | None = request["answer"]
    subject = f"Leak check of {printable(name)}:"
    if answer is None:
        why = (
            "it was not reached; its snapshots do not come here directly"
            if request["state"] == "waiting"
            else "no answer"
        )
        return f"{subject} {why}."
    if answer.get("not_run"):
        return f"{subject} not made: {printable(answer['not_run'])}."
    text = (
        f"{subject} {answer['tasks']} of {answer['blocked']} waiting tasks can be woken by nobody "
        f"({answer['objects']:,} objects in {duration(answer['duration_ns'])}"
    )
    if answer.get("pause_ns") is not None:
        text += f", paused for {duration(answer['pause_ns'])}"
    if answer.get("in_process"):
        text += f"; no proof, for {printable(answer['in_process'])}"
    return f"{text})."
