# SPDX-License-Identifier: Apache-2.0
"""Before `peeps why` says that nothing is stuck: the processes look now, and ask the heap who could end a wait."""

from __future__ import annotations

from typing import Any

from .asking import answers, ask, wait_for_findings
from .client import Client
from .style import printable

Json = dict[str, Any]

_PATH = "/api/looks"
_HEARD_S = 2.5
_ANSWER_S = 5.0
_FINDINGS_S = 2.0


def look_now(client: Client, process: str | None) -> list[str]:
    """Waits for the look of each process, for 5 s at most, and for its findings. What was not reached or not asked is
    in the lines that come back. Raises ClientError."""
    requests = ask(client, _PATH, client.process_ids(process))
    found = answers(client, _PATH, requests, heard_s=_HEARD_S, answer_s=_ANSWER_S)
    wanted = {finding for one in found if one["answer"] for finding in one["answer"]["findings"]}
    wait_for_findings(client, wanted, _FINDINGS_S)
    processes: list[Json] = client.get("/api/processes")["processes"]
    names: dict[str, str] = {p["id"]: f"{p['service']} (pid {p['pid']})" for p in processes}
    return [note for one in found if (note := _note(printable(names.get(str(one["process"]), "a process")), one))]


def _note(name: str, request: Json) -> str:
    answer: Json | None = request["answer"]
    if answer is None and request["state"] == "waiting":
        return f"{name} was not asked to look now: nothing of it came here directly within {_HEARD_S:g} s."
    if answer is None:
        return f"{name} has not answered within {_ANSWER_S:g} s; this is from its last look."
    if answer["not_asked"]:
        return f"{name} was not asked who could end its waits: {printable(answer['not_asked'])}."
    return ""
