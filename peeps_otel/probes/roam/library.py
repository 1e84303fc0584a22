# SPDX-License-Identifier: Apache-2.0
"""Our own Roam: in which of its functions a task waits for an answer, for credit, for an element.

What it waits for is a future that anybody might complete; which request or channel it stands for is reported by Roam
itself, as a provider.
"""

from __future__ import annotations

import sys
from typing import Any

from ..internals.await_chain import SuspendedFrame
from ..library import Operation, Support, TaskFinder, TaskWait, Waiting, code_of, operation, timer_within

_PACKAGE = "peeps_otel.roam"


class Roam:
    """A `Library`. It is of this very distribution, so there is no version to check."""

    name = "roam"
    distribution = ""
    checked = ()

    def is_imported(self) -> bool:
        """Read to its end."""
        return "serve_unix" in vars(sys.modules.get(_PACKAGE, sys))

    def support(self) -> Support:
        connection, link, inbox = (
            vars(sys.modules[f"{_PACKAGE}.{module}"])[name]
            for module, name in (("connection", "Connection"), ("link", "Link"), ("inbox", "Inbox"))
        )
        return Support(
            task_waits=(
                _wait(code_of(connection, "wait_for_answer"), operation("future")),
                _wait(code_of(link, "wait_for_credit"), operation("channel.send")),
                _wait(code_of(inbox, "wait"), operation("channel.receive")),
            )
        )


def _wait(code: Any, known: Operation) -> TaskWait:
    return TaskWait(code, known, find=_finder(known))


def _finder(known: Operation) -> TaskFinder:
    def find(links: list[SuspendedFrame], link: SuspendedFrame, future: Any) -> Waiting:
        return Waiting(known, (future,), deadline=timer_within(links, link))

    return find


ROAM = Roam()
