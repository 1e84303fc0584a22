# SPDX-License-Identifier: Apache-2.0
"""One collector: every part, put together, started in order and stopped in reverse."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import shutil
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from peeps_otel.model import Level

from .alerts.alerts import Alerts, AlertSettings
from .api.app import create_app
from .config import Address, Config
from .decode.compiled import Compiled
from .decode.redaction import Redaction
from .diagnose import Diagnosis, GraphDiagnoser, IncrementalDiagnoser
from .forward import Forwarder
from .forward_choice import Choice
from .garbage import Garbage
from .graph.finding_entry import Entry
from .graph.findings import FindingRegistry
from .graph.live import LiveGraph
from .lake.roles import role_of
from .names import LOOPBACK_NAMES
from .own_metrics import OwnMetrics
from .pipeline import Pipeline
from .quotas import Quota, Quotas
from .receive.durable import Durable
from .receive.grpc_server import GrpcServer
from .receive.http_protocol import Limits, limited, sweep
from .receive.http_server import HttpReceiver
from .receive.polls import Polls
from .receive.port_sharing import Endpoint, SharedPort
from .receive.request import Budget, Encoding, Signal
from .receive.turns import Turns
from .replay import journal_of, replay
from .requests_out import ProcessRequests
from .role import Role
from .store.database import Database
from .store.recording import past_processes, past_texts
from .store.retention import Retention, file_bytes
from .store.saved_queries import SavedQueries
from .store.writer import Writer
from .version import __version__

# The longest path a Unix socket may have is 108 bytes on Linux and 104 elsewhere.
_SOCKET_PATH_BYTES = 90  # and the number of a connection
_SWEEP_SECONDS = 1.0
_SWITCH_SECONDS = 0.0005


class AddressTaken(RuntimeError):
    """A port that the collector cannot do without belongs to another program."""


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the process belongs to the `peeps` command. Nor does it look ten times a
    second whether it is to end: it is told."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._leaving = asyncio.Event()

    def leave(self) -> None:
        self.should_exit = True
        self._leaving.set()

    async def main_loop(self) -> None:
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await self._leaving.wait()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


def _alert_settings(config: Config) -> AlertSettings:
    return AlertSettings(
        config.alert_webhooks, config.alert_command, Level(config.alert_level), float(config.alert_quiet_s)
    )


def _counted(entries: Sequence[Entry]) -> dict[str, int]:
    """All, and by level."""
    levels = Counter(entry.finding.level for entry in entries)
    return {"open": len(entries), **{level.value: levels[level] for level in Level}}


class Collector:
    """All methods on one event loop. After `start`, `listen`, `otlp` and `api` are the real addresses."""

    def __init__(
        self,
        config: Config,
        diagnoser: Callable[[], GraphDiagnoser] | None = None,
        role: Callable[[Config, Database], Role] = role_of,
    ) -> None:
        """Opens the database. Raises StoreError, AccessError, LakeError."""
        self.config = config
        self._tls = None if config.tls is None else config.tls.for_server()
        self.warnings: list[str] = []
        self.listen = ""
        self.otlp_grpc = ""
        self.otlp_http = ""
        self.api = ""
        self._database = Database(config.database, config.database_memory, self.warnings)
        self._role = role(config, self._database)
        self._rows = self._role.rows(config.store_rows)
        self._journal = journal_of(config.database, config.journal_bytes)
        self._sql = self._role.sql()
        self._reader = self._role.reader(self._sql)
        self._retention = Retention(
            self._database, config.retention_hours, config.database_bytes, lambda: self._database.leases.checkpoint()
        )
        self._writer = Writer(
            self._database,
            self._rows,
            self._retention,
            committed=self._journal.committed,
            checkpoint=self._database.leases.checkpoint_if_due,
            outbox=self._role.outbox,
        )
        self._database.before_reading = self._writer.catch_up
        redaction = Redaction(config.redact_keys, config.redact_texts)
        self.warnings += replay(self._database, self._journal, self._rows, self._writer, redaction)
        self._role.replayed(self._database.connection)
        self._quotas = Quotas(Quota(config.process_rows, config.process_bytes))
        self._live = LiveGraph(self._rows, quotas=self._quotas, nodes_most=config.process_nodes)
        if config.is_recording:
            self._live.remember(past_processes(self._database.connection))
        self._findings = FindingRegistry(self._live, self._rows, self._role.ended_findings(), config.trace_url)
        if config.is_recording:
            for process, record in past_texts(self._database.connection):
                self._findings.texts.recalled(process, record)
        judge = IncrementalDiagnoser(config.rules) if diagnoser is None else diagnoser()
        self._diagnosis = Diagnosis(self._live, self._findings, judge, settings=config.rules)
        self._alerts = Alerts(_alert_settings(config), self._live, self._findings, f"http://{config.explorer}")
        self._budget = Budget(config.queue_bytes)
        self._requests = ProcessRequests()
        self._diagnosis.tell = self._requests.tell
        self._forwarder = Forwarder(
            config.forward_to,
            config.forward_signals,
            config.forward_headers,
            config.forward_bytes,
            Choice(config.forward_only),
        )
        self._own_metrics = OwnMetrics(config.metrics_to, config.forward_headers, self.health)
        turns = Turns()
        self._durable = Durable(self._journal, turns, self._budget)
        self._compiled = Compiled()
        self._pipeline = Pipeline(
            self._budget,
            self._live,
            self._findings,
            self._diagnosis,
            self._rows,
            self._durable,
            turns,
            trace=config.protocol_trace,
            requests=self._requests,
            unready=self._unready,
            span_columns=self._compiled.ask,
            redaction=redaction,
            forward=self._goes_on,
            quotas=self._quotas,
        )
        if self._role.tells_ends:
            self._diagnosis.each_turn = self._pipeline.calls.step
        self._directory = Path(tempfile.mkdtemp(prefix="peeps-"))  # mode 700
        self._grpc = GrpcServer(self._pipeline, config.max_request_bytes, self._received_by_grpc, config.token)
        self._api_server: asyncio.Server | None = None
        self._servers: list[tuple[_Server, Any]] = []
        self._port: SharedPort | None = None
        self._polls: Polls | None = None
        self._garbage = Garbage(time.monotonic())
        self._sweeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listens on everything. Raises AddressTaken; `stop` must be called in any case."""
        # Each request passes through three threads: it waits this long for each of them while another one computes.
        sys.setswitchinterval(_SWITCH_SECONDS)
        listen = _bind(self.config.listen, "PEEPS_LISTEN")
        api = _bind(self.config.api, "PEEPS_API")
        self.listen, self.api = _name(listen), _name(api)
        self._writer.start()
        self._durable.start()
        self._forwarder.start()
        self._own_metrics.start()
        self._pipeline.start()
        self._diagnosis.start()
        self._alerts.start()
        grpc_endpoint = await self._start_grpc()
        # Whoever is let in from outside calls us by names that we do not know.
        names = {*LOOPBACK_NAMES, *self.config.api_hosts} if self.config.listen.loopback else None
        files = _descriptors()
        self._polls = Polls(self._live, self._requests, files // 4)
        receiver = HttpReceiver(self._pipeline, self.config.max_request_bytes, names, self._polls, self.config.token)
        http = await self._serve(receiver, files // 2)
        self._port = SharedPort(grpc_endpoint, http, self._budget, files // 10)
        await self._port.listen(listen, self._tls)
        self.otlp_grpc = await self._listen_if_free(self.config.otlp_grpc, "gRPC")
        self.otlp_http = await self._listen_if_free(self.config.otlp_http, "HTTP")
        hosts = (*self.config.api_hosts, self.config.api.host)
        app = create_app(
            self._live,
            self._findings,
            self._reader,
            self._sql,
            self.health,
            hosts,
            sql_seconds=self._role.sql_seconds,
            requests=self._requests,
            database=self._role.file,
            token=self.config.token,
            quotas=self._quotas,
            saved=SavedQueries(self.config.queries_folder),
        )
        make = await self._serve(app, files // 10)
        loop = asyncio.get_running_loop()
        self._api_server = await loop.create_server(make, sock=api, backlog=1024, ssl=self._tls)
        self._role.start(self.listen, self.api, self._live, self._requests)
        self._garbage.postpone()
        self._sweeper = asyncio.get_running_loop().create_task(self._sweep())

    async def stop(self) -> None:
        """Stops taking in, decodes and stores what was taken in, closes the file."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        if self._polls is not None:
            self._polls.close()
        if self._port is not None:
            await self._port.stop()
        await self._grpc.stop()
        if self._api_server is not None:
            self._api_server.close()
        self._sql.stop()  # else the API waits for statements
        for server, task in self._servers:
            server.leave()
            await task
        if self.listen:
            self._durable.stop()
            self._pipeline.stop()
            self._forwarder.stop()
            self._own_metrics.stop()
            self._alerts.stop()
            self._diagnosis.stop()
            self._live.store_processes()
            self._writer.stop()
            self._role.stop()
            self._journal.close(self._writer.position.low)
        self._database.close()
        shutil.rmtree(self._directory, ignore_errors=True)

    def addresses(self) -> dict[str, Any]:
        """What a ready file says: where this collector listens, its pid and its database."""
        return {
            "grpc": [address for address in (self.listen, self.otlp_grpc) if address],
            "http": [address for address in (self.listen, self.otlp_http) if address],
            "api": self.api,
            "pid": os.getpid(),
            "database": self.config.database,
        }

    def health(self) -> dict[str, Any]:
        counts = asdict(self._pipeline.counts)
        rejected = counts.pop("rejected")
        parts = (self._writer, self._durable, self._diagnosis, self._alerts, self._role)
        failures = [part.failure for part in parts if part.failure]
        addresses = self.addresses()
        return {
            "status": "degraded" if failures else "ok",
            "version": __version__,
            "database": self.config.database,
            "database_bytes": file_bytes(self.config.database),
            "listen": {"grpc": addresses["grpc"], "http": addresses["http"]},
            "processes": len(self._live.processes()),
            "queue_bytes": self._budget.bytes,
            "journal_bytes": self._journal.bytes,
            "received": counts,
            "span_decoder": "columns" if self._compiled.is_ready else "objects",
            "rejected": {"records": rejected},
            "dropped": {"requests": 0, "rows": self._rows.dropped},
            "refused": {"requests": self._pipeline.refused + self._budget.refused},
            "quotas": {"refused_records": self._quotas.refused, "over": self._quotas.over()},
            "warnings": [*self.warnings, *failures, *filter(None, [self._retention.warning])],
            "client_errors": {"count": self._pipeline.client_errors.count, "last": self._pipeline.client_errors.last()},
            "forward": self._forwarder.status(),
            "metrics": self._own_metrics.status(),
            "pending_rows": self._rows.unstored,  # before what the lake has still to ship: they go from here to there
            "lake": self._role.status(),
            "committed": self._writer.ticks,
            "commit_ms": self._writer.times.status(),
            "reopened": self._database.reopened,
            "findings": _counted(self._findings.open()),
            "alerts": self._alerts.status(),
        }

    def _goes_on(self, signal: Signal, encoding: Encoding, body: bytes) -> None:
        self._forwarder.offer(signal, encoding, body)
        self._role.offer(signal, encoding, body)

    def _unready(self) -> str:
        """Why nothing more can be taken now."""
        if not self._rows.full and not self._writer.is_shut:
            return ""
        return f"{self._writer.failure or 'the database does not keep up'}; retry later"

    async def _listen_if_free(self, address: Address | None, protocol: str) -> str:
        if address is None or self._port is None:
            return ""
        try:
            sock = _bind(address, "")
        except AddressTaken:
            self.warnings.append(f"{address} is taken by another program: OTLP/{protocol} is not received there")
            return ""
        name = _name(sock)
        await self._port.listen(sock, self._tls)
        return name

    async def _start_grpc(self) -> Endpoint:
        path = str(self._directory / "grpc")
        if _unix(path):
            await self._grpc.start(f"unix:{path}")
            return path
        return "127.0.0.1", await self._grpc.start("127.0.0.1:0")

    def _received_by_grpc(self, peer: str, size: int) -> None:
        if self._port is not None:
            self._port.received(peer, size)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            now_s = asyncio.get_running_loop().time()
            self._garbage.collect_if_due(now_s, idle=not self._budget.bytes)
            for server, _ in self._servers:
                sweep(server.server_state.connections, now_s)
            if self._port is not None:
                self._port.sweep(now_s)

    async def _serve(self, app: ASGIApp, most: int) -> Callable[[], asyncio.Protocol]:
        """Returns what makes the protocol of a connection. `most`: connections."""
        limits = Limits(connections=most)
        config = uvicorn.Config(
            app,
            http=limited(limits),
            log_config=None,
            log_level="warning",
            access_log=False,
            lifespan="off",
            server_header=False,
            proxy_headers=False,
            ws="none",
            timeout_keep_alive=int(limits.idle_s),
            timeout_graceful_shutdown=2,
        )
        server = _Server(config)
        task = asyncio.get_running_loop().create_task(server.serve(sockets=[]))
        self._servers.append((server, task))
        while not server.started:
            if task.done():
                task.result()
                raise RuntimeError("an HTTP server ended while it was starting")
            await asyncio.sleep(0.005)
        protocol = limited(limits)
        return lambda: protocol(config=config, server_state=server.server_state, app_state={})


def _descriptors() -> int:
    """How many files this process may have open; as many as it may ask for, up to 16384."""
    if sys.platform == "win32":
        return 2000
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 16_384 if hard == resource.RLIM_INFINITY else min(hard, 16_384)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    return 16_384 if soft == resource.RLIM_INFINITY else soft


def _bind(address: Address, variable: str) -> socket.socket:
    """A bound TCP socket. Raises AddressTaken, also where the address is not one of this machine."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    if os.name == "posix":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((address.host, address.port))
        sock.listen(1024)  # only now does the system say whether another program listens
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            message = f"{address} is taken by another program, perhaps a collector; set {variable} to another address"
        else:
            message = f"cannot listen on {address}: {error.strerror or error}; set {variable} to another address"
        raise AddressTaken(message) from None
    sock.setblocking(False)
    return sock


def _name(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    return str(Address(host, port))


def _unix(path: str) -> bool:
    return hasattr(socket, "AF_UNIX") and os.name == "posix" and len(path.encode()) <= _SOCKET_PATH_BYTES
