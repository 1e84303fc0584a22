# SPDX-License-Identifier: Apache-2.0
"""`peeps why --leaks`: has the processes look for tasks that nothing can wake, before the verdict is asked for."""

from __future__ import annotations

from typing import Any

from peeps_otel.report.sentences import duration
from peeps_otel.report.style import printable

from .asking import ask
from .client import Client, ClientError

Json = dict[str, Any]

_PATH = "/api/leaks"
_ANSWER_S = 330.0
_HEARD_S = 15.0
_FINDINGS_S = 5.0


def check(client: Client, process: str | None) -> list[str]:
    """Waits until every process has answered, and for the findings; says per process what was done. Raises
    ClientError."""
    asked = ask(client, _PATH, process, heard_s=_HEARD_S, answer_s=_ANSWER_S, findings_s=_FINDINGS_S)
    if not asked:
        raise ClientError("no program is connected that could look for leaks")
    return [_sentence(*one) for one in asked]


def _sentence(name: str, request: Json) -> str:
    answer: Json | None = request["answer"]
    subject = f"Leak check of {name}:"
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
