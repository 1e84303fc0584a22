# SPDX-License-Identifier: Apache-2.0
"""The collector that answers for all of them. It hears the graphs of all processes from the others, judges them as one
graph, and reads the history from the lake, into which it writes its findings, and what joins two processes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..config import Config
from ..graph.live import LiveGraph
from ..requests_out import ProcessRequests
from ..role import Alone
from ..store.buffer import RowBuffer
from ..store.database import Database
from ..store.file import ENDED_FINDINGS, findings_of
from ..store.outbox import Outbox
from ..store.reader import Reader
from ..store.sql_processes import SqlProcesses
from ..store.statement import StatementFailed
from .addresses import url_of
from .head_rows import HeadRows
from .lead import Lead
from .reading import LakeReader, LakeSource
from .settings import LakeSettings
from .shard import spool_of
from .ship_process import ShipProcess


class Head(Alone):
    """`lost`: is told why it must end. Raises LakeError, StoreError."""

    def __init__(
        self, config: Config, settings: LakeSettings, database: Database, lead: Lead, lost: Callable[[str], None]
    ) -> None:
        super().__init__(database)
        self._config = config
        self._lead = lead
        self._lost = lost
        self._spool = spool_of(config, settings, database, head=True)
        self.outbox: Outbox = self._spool
        self.tells_ends = False  # the others do
        self.sql_seconds = 12.0  # many small files, perhaps far away
        self._sql = SqlProcesses(LakeSource(settings), "peeps_collector.lake.sql_worker")
        self._shipping = ShipProcess(self._spool.folder, self._spool.shard, settings, keeps_up=True)

    def rows(self, limit: int) -> RowBuffer:
        return HeadRows(limit)

    def sql(self) -> SqlProcesses:
        return self._sql

    def reader(self, sql: SqlProcesses) -> Reader:
        return LakeReader(self._database, sql)

    def ended_findings(self) -> list[dict[str, Any]]:
        try:
            return findings_of(self.reader(self._sql).few(ENDED_FINDINGS))
        except StatementFailed:
            return []  # there is no lake yet, or it does not answer: what is stuck now matters more

    def start(self, otlp: str, api: str, live: LiveGraph, requests: ProcessRequests) -> None:
        self._shipping.start()
        self._lead.hold(url_of(self._config, otlp), url_of(self._config, api), self._lost)

    def stop(self) -> None:
        self._lead.release()
        self._shipping.stop()

    def status(self) -> dict[str, Any] | None:
        return {
            "shard": self._spool.shard,
            "waiting_bytes": self._spool.bytes,
            "shipped": self._shipping.status(),
            "members": [
                {
                    "name": one.name,
                    "api": one.api,
                    "otlp": one.otlp,
                    "age_s": round(one.age_s, 1),
                    "alive": one.is_alive,
                }
                for one in self._lead.members
            ],
        }

    @property
    def file(self) -> Database | None:
        return None

    @property
    def failure(self) -> str:
        return self._shipping.failure
