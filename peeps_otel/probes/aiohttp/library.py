# SPDX-License-Identifier: Apache-2.0
"""aiohttp's client: until when a request waits for its answer. Its timers are in no `async with` that shows them."""

from __future__ import annotations

from typing import Any

from ...model.operations import operation
from ..internals import aiohttp_client as internals
from ..internals import versions
from ..internals.await_chain import SuspendedFrame
from ..library import Support, TaskWait, Waiting

_FUTURE = operation("future")


class AiohttpClient:
    """A `Library`."""

    name = "aiohttp"
    distribution = "aiohttp"
    checked = versions.AIOHTTP

    def is_imported(self) -> bool:
        return internals.imported()

    def support(self) -> Support:
        return Support(task_waits=(TaskWait(internals.request_code(), _FUTURE, find=_answer),))


def _answer(links: list[SuspendedFrame], link: SuspendedFrame, future: Any) -> Waiting:
    inward = links[next((place for place, one in enumerate(links) if one is link), 0) :]
    return Waiting(_FUTURE, (future,), deadline=internals.earliest_timer(inward))


AIOHTTP = AiohttpClient()
