# SPDX-License-Identifier: Apache-2.0
"""How much one process may have stored a minute, in rows and in bytes, so that none of them takes the disk, or the
writer's time, from the others.

Each process has an account for what it says of its graph, one for its other events and one for its spans, logs and
metrics: who floods the one does not silence the others. An account holds a minute's worth and fills all the time; what
is taken at once may overdraw it, and then nothing more is taken until it has come back.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

_MINUTE_S = 60.0
_ACCOUNTS_MOST = 30_000
_CLOSED_MOST = 1000


class Account(StrEnum):
    """What is counted together; the value is how it is called in an answer."""

    GRAPH = "the history of its graph"
    EVENTS = "events of its graph"
    TELEMETRY = "spans, logs and metrics"


@dataclass(frozen=True, slots=True)
class Quota:
    """The most of one account of one process in a minute."""

    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """`reason`: in words, with the limit and its setting; `wait_s`: until there is room again."""

    reason: str
    wait_s: float


@dataclass(slots=True)
class _Balance:
    rows: float
    bytes: float
    at_s: float
    refused: int = 0
    refused_s: float = 0.0
    limit: str = ""


class Quotas:
    """Thread-safe. `quota`: None: everything is taken. `clock`: seconds."""

    def __init__(self, quota: Quota | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._quota = quota
        self._clock = clock
        self._lock = threading.Lock()
        self._balances: OrderedDict[tuple[str, Account], _Balance] = OrderedDict()
        self._closed: OrderedDict[bytes, tuple[float, str]] = OrderedDict()
        self.refused = 0
        """Records, since the start."""

    def take(self, process: str, account: Account, rows: int, size: int, records: int = 0) -> Refusal | None:
        """None where it is taken from the account. `records`: how many are refused where it is not."""
        with self._lock:
            refusal = self._refusal(process, account)
            if refusal is None:
                self._spend(process, account, rows, size)
            elif records:
                self.refused += records
                self._balances[process, account].refused += records
            return refusal

    def spend(self, process: str, account: Account, rows: int, size: int = 0) -> Refusal | None:
        """Takes it from the account in any case. Returns why nothing more should come."""
        with self._lock:
            self._spend(process, account, rows, size)
            return self._refusal(process, account)

    def refusal(self, process: str, account: Account) -> Refusal | None:
        """Why nothing is taken now, None where something is."""
        with self._lock:
            return self._refusal(process, account)

    def over(self) -> dict[str, dict[str, Any]]:
        """By process, of the last minute: what was more than its quota, by which limit, and how many records were
        refused so far."""
        with self._lock:
            now_s, found = self._clock(), dict[str, dict[str, Any]]()
            for (process, account), balance in self._balances.items():
                if balance.limit and now_s - balance.refused_s < _MINUTE_S:
                    told = found.setdefault(process, {"limit": balance.limit, "what": [], "refused": 0})
                    told["what"].append(account.value)
                    told["refused"] += balance.refused
            return found

    def close(self, head: bytes, refusal: Refusal) -> None:
        """What begins like this was all refused: the next ones need not be decoded to be refused."""
        with self._lock:
            self._closed[head] = self._clock() + refusal.wait_s, refusal.reason
            if len(self._closed) > _CLOSED_MOST:
                self._closed.popitem(last=False)

    def closed(self, head_of: Callable[[], bytes]) -> Refusal | None:
        """Why what begins like this is refused. `head_of` is asked only where somebody is."""
        if not self._closed:
            return None
        head, now_s = head_of(), self._clock()
        with self._lock:
            until_s, reason = self._closed.get(head, (0.0, ""))
            if until_s <= now_s:
                self._closed.pop(head, None)
                return None
            return Refusal(reason, until_s - now_s)

    def _refusal(self, process: str, account: Account) -> Refusal | None:
        quota = self._quota
        if quota is None:
            return None
        balance = self._balance(quota, process, account)
        wait_s = _MINUTE_S * max(-balance.rows / quota.rows, -balance.bytes / quota.bytes)
        if wait_s < 0 or (balance.rows > 0 and balance.bytes > 0):
            return None
        is_rows = balance.rows <= 0
        balance.limit = "PEEPS_PROCESS_ROWS" if is_rows else "PEEPS_PROCESS_BYTES"
        balance.refused_s = self._clock()
        most = f"{quota.rows} rows" if is_rows else f"{quota.bytes} bytes"
        return Refusal(f"more than {most} of {account.value} a minute ({balance.limit})", max(wait_s, 1.0))

    def _spend(self, process: str, account: Account, rows: int, size: int) -> None:
        if self._quota is not None:
            balance = self._balance(self._quota, process, account)
            balance.rows -= rows
            balance.bytes -= size

    def _balance(self, quota: Quota, process: str, account: Account) -> _Balance:
        now_s, key = self._clock(), (process, account)
        known = self._balances.get(key)
        if known is None:
            known = self._balances[key] = _Balance(quota.rows, quota.bytes, now_s)
            if len(self._balances) > _ACCOUNTS_MOST:
                self._balances.popitem(last=False)
        self._balances.move_to_end(key)
        share = max(now_s - known.at_s, 0.0) / _MINUTE_S
        known.at_s = now_s
        known.rows = min(quota.rows, known.rows + share * quota.rows)
        known.bytes = min(quota.bytes, known.bytes + share * quota.bytes)
        return known
