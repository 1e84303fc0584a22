# SPDX-License-Identifier: Apache-2.0
"""One collector: every part, put together, started in order and stopped in reverse."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Generator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from .api.app import create_app
from .asking import Asking
from .config import Address, Config
from .diagnose import Diagnosis, Looker, default_looker
from .graph.findings import FindingBook
from .graph.live import LiveGraph
from .pipeline import Pipeline
from .receive.grpc_server import GrpcServer
from .receive.http_server import HttpReceiver
from .receive.port_sharing import Endpoint, SharedPort
from .receive.queue import ByteQueue
from .store.buffer import RowBuffer
from .store.file import ended_findings, open_database
from .store.reader import Reader
from .store.writer import Writer
from .version import __version__

# The longest path a Unix socket may have is 108 bytes on Linux and 104 elsewhere.
_SOCKET_PATH_BYTES = 100


class AddressTaken(RuntimeError):
    """A port that the collector cannot do without belongs to another program."""


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the process belongs to the `peeps` command."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


class Collector:
    """All methods on one event loop. After `start`, `listen`, `otlp` and `api` are the real addresses."""

    def __init__(self, config: Config, looker: Callable[[], Looker] | None = None) -> None:
        """Opens the database. Raises StoreError."""
        self.config = config
        self.warnings: list[str] = []
        self.listen = ""
        self.otlp_grpc = ""
        self.otlp_http = ""
        self.api = ""
        self._connection = open_database(config.database, config.database_memory)
        self._rows = RowBuffer(config.store_rows)
        self._live = LiveGraph(self._rows)
        self._book = FindingBook(self._live, self._rows, ended_findings(self._connection))
        looks = default_looker(config.rules) if looker is None else looker()
        self._diagnosis = Diagnosis(self._live, self._book, looks, settings=config.rules)
        self._queue = ByteQueue(config.queue_bytes)
        self._asking = Asking()
        self._pipeline = Pipeline(
            self._queue,
            self._live,
            self._book,
            self._diagnosis,
            self._rows,
            trace=config.protocol_trace,
            asking=self._asking,
        )
        self._writer = Writer(self._connection, self._rows, config.retention_hours)
        self._directory = Path(tempfile.mkdtemp(prefix="peeps-"))  # mode 700
        self._grpc = GrpcServer(self._pipeline, config.max_request_bytes)
        self._servers: list[tuple[_Server, Any]] = []
        self._port: SharedPort | None = None

    async def start(self) -> None:
        """Listens on everything. Raises AddressTaken; `stop` must be called in any case."""
        listen = _bind(self.config.listen, "PEEPS_LISTEN")
        api = _bind(self.config.api, "PEEPS_API")
        self.listen, self.api = _name(listen), _name(api)
        self._writer.start()
        self._pipeline.start()
        self._diagnosis.start()
        grpc_endpoint = await self._start_grpc()
        receiver = HttpReceiver(self._pipeline, self.config.max_request_bytes)
        http_endpoint = await self._start_internal_http(receiver)
        self._port = SharedPort(grpc_endpoint, http_endpoint)
        await self._port.listen(listen)
        self.otlp_grpc = await self._listen_if_free(self.config.otlp_grpc, "gRPC")
        self.otlp_http = await self._listen_if_free(self.config.otlp_http, "HTTP")
        hosts = (*self.config.api_hosts, self.config.api.host)
        app = create_app(self._live, self._book, Reader(self._connection), self.health, hosts, asking=self._asking)
        await self._serve(app, api)

    async def stop(self) -> None:
        """Stops taking in, decodes and stores what was taken in, closes the file."""
        if self._port is not None:
            await self._port.stop()
        await self._grpc.stop()
        for server, task in self._servers:
            server.should_exit = True
            await task
        if self.listen:
            self._pipeline.stop()
            self._diagnosis.stop()
            self._live.store_processes()
            self._writer.stop()
        self._connection.close()
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
        failures = [text for text in (self._writer.failure, self._diagnosis.failure) if text]
        addresses = self.addresses()
        return {
            "status": "degraded" if failures else "ok",
            "version": __version__,
            "database": self.config.database,
            "listen": {"grpc": addresses["grpc"], "http": addresses["http"]},
            "processes": len(self._live.processes()),
            "queue_bytes": self._queue.bytes,
            "received": counts,
            "rejected": {"records": rejected},
            "dropped": {"requests": self._queue.refused, "rows": self._rows.dropped},
            "warnings": [*self.warnings, *failures],
            "committed": self._writer.ticks,
        }

    async def _listen_if_free(self, address: Address | None, protocol: str) -> str:
        if address is None or self._port is None:
            return ""
        try:
            sock = _bind(address, "")
        except AddressTaken:
            self.warnings.append(f"{address} is taken by another program: OTLP/{protocol} is not received there")
            return ""
        name = _name(sock)
        await self._port.listen(sock)
        return name

    async def _start_grpc(self) -> Endpoint:
        path = str(self._directory / "grpc")
        if _unix(path):
            await self._grpc.start(f"unix:{path}")
            return path
        return "127.0.0.1", await self._grpc.start("127.0.0.1:0")

    async def _start_internal_http(self, app: Any) -> Endpoint:
        path = str(self._directory / "http")
        if _unix(path):
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            sock.bind(path)
            await self._serve(app, sock)
            return path
        sock = _bind(Address("127.0.0.1", 0), "")
        port: int = sock.getsockname()[1]
        await self._serve(app, sock)
        return "127.0.0.1", port

    async def _serve(self, app: ASGIApp, sock: socket.socket) -> None:
        server = _Server(
            uvicorn.Config(
                app,
                log_config=None,
                log_level="warning",
                access_log=False,
                lifespan="off",
                server_header=False,
                proxy_headers=False,
                ws="none",
                timeout_graceful_shutdown=2,
            )
        )
        task = asyncio.get_running_loop().create_task(server.serve(sockets=[sock]))
        self._servers.append((server, task))
        while not server.started:
            if task.done():
                task.result()
                raise RuntimeError("an HTTP server ended while it was starting")
            await asyncio.sleep(0.005)


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
