# SPDX-License-Identifier: Apache-2.0
"""Before `peeps why` says that nothing is stuck: the processes look now, and ask the heap who could end a wait."""

from __future__ import annotations

from typing import Any

from peeps_otel.report.style import printable

from .asking import ask
from .client import Client

Json = dict[str, Any]

_PATH = "/api/looks"
_HEARD_S = 2.5
_ANSWER_S = 5.0
_FINDINGS_S = 2.0


def look_now(client: Client, process: str | None) -> list[str]:
    """Waits for the look of each process, for 5 s at most, and for its findings. What was not reached or not asked is
    in the lines that come back. Raises ClientError."""
    asked = ask(client, _PATH, process, heard_s=_HEARD_S, answer_s=_ANSWER_S, findings_s=_FINDINGS_S)
    return [note for one in asked if (note := _note(*one))]


def _note(name: str, request: Json) -> str:
    answer: Json | None = request["answer"]
    if answer is None and request["state"] == "waiting":
        return f"{name} was not asked to look now: nothing of it came here directly within {_HEARD_S:g} s."
    if answer is None:
        return f"{name} has not answered within {_ANSWER_S:g} s; this is from its last look."
    if answer["not_asked"]:
        return f"{name} was not asked who could end its waits: {printable(answer['not_asked'])}."
    return ""
