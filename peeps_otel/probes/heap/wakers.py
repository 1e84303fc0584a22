# SPDX-License-Identifier: Apache-2.0
"""Which methods end a wait for a thing of each kind, by name. `cancel` is none of them: it is how a stuck task is
stopped, not how it goes on."""

from __future__ import annotations

from typing import Final

from ...model import NodeKind

WAKERS: Final[dict[NodeKind, frozenset[str]]] = {
    NodeKind.EVENT: frozenset({"set"}),
    NodeKind.CONDITION: frozenset({"notify", "notify_all", "notifyAll"}),
    NodeKind.LOCK: frozenset({"release"}),
    NodeKind.SEMAPHORE: frozenset({"release"}),
    NodeKind.BARRIER: frozenset({"wait", "abort", "reset"}),
    NodeKind.FUTURE: frozenset({"set_result", "set_exception"}),
    NodeKind.RX: frozenset(
        {"put", "put_nowait", "task_done", "shutdown", "send", "send_nowait", "close", "aclose", "append"}
    ),
    NodeKind.TX: frozenset({"get", "get_nowait", "shutdown", "receive", "receive_nowait", "close", "aclose"}),
}
