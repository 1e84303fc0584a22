# SPDX-License-Identifier: Apache-2.0
"""A collector of several: it has its file and its processes as ever, its rows follow into the lake, and what it hears
of graphs goes on to the head."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb

from ..config import Config
from ..graph.live import LiveGraph
from ..receive.request import Encoding, Signal
from ..requests_out import ProcessRequests
from ..role import Alone
from ..store.database import Database
from ..store.file import StoreError
from ..store.outbox import Outbox
from .addresses import url_of
from .members import HEAD, Member
from .presence import Presence
from .relay import Relay
from .settings import LakeSettings, checked
from .ship_process import ShipProcess
from .spool import Spool
from .whole_pictures import WholePictures


class Shard(Alone):
    """Raises LakeError, StoreError."""

    def __init__(self, config: Config, settings: LakeSettings, database: Database) -> None:
        super().__init__(database)
        checked(settings)
        self._config = config
        self._spool = spool_of(config, settings, database)
        self.outbox: Outbox = self._spool
        self._shipping = ShipProcess(self._spool.folder, self._spool.shard, settings)
        self._relay = Relay(token_header(config), config.forward_bytes)
        self._whole: WholePictures | None = None
        self._presence = Presence(settings.catalog, self._spool.shard, self._heard)
        self._head = ""

    def replayed(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._spool.begin_run(connection)

    def offer(self, signal: Signal, encoding: Encoding, body: bytes) -> None:
        self._relay.offer(signal, encoding, body)

    def start(self, otlp: str, api: str, live: LiveGraph, requests: ProcessRequests) -> None:
        self._whole = WholePictures(live, requests)
        self._shipping.start()
        self._relay.start()
        self._presence.start(url_of(self._config, otlp), url_of(self._config, api))

    def stop(self) -> None:
        self._presence.stop()
        if self._whole is not None:
            self._whole.stop()
        self._relay.stop()
        self._shipping.stop()

    def status(self) -> dict[str, Any] | None:
        return {
            "shard": self._spool.shard,
            "waiting_bytes": self._spool.bytes,
            "dropped_batches": self._spool.dropped,
            "shipped": self._shipping.status(),
            "head": self._head,
            "relay": self._relay.status(),
        }

    @property
    def failure(self) -> str:
        return self._shipping.failure or self._presence.failure

    def _heard(self, members: list[Member]) -> None:
        head = next((one for one in members if one.name == HEAD and one.is_alive), None)
        self._head = "" if head is None else head.api
        if self._relay.send_to("" if head is None else head.otlp) and self._whole is not None:
            self._whole.ask()


def spool_of(config: Config, settings: LakeSettings, database: Database, *, head: bool = False) -> Spool:
    """Beside the database file. Raises StoreError."""
    folder = Path(f"{config.database}.lake")
    try:
        return Spool(folder, database.connection, settings.most, "head-" if head else "")
    except OSError as error:
        raise StoreError(f"cannot use the folder {folder}: {error.strerror}") from None


def token_header(config: Config) -> dict[str, str]:
    """What one member shows to another: all have the same token."""
    return {"authorization": f"Bearer {config.token}"} if config.token else {}
