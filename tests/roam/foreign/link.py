# SPDX-License-Identifier: Apache-2.0
"""One link of the foreign peer: blocking sockets, a thread that reads, a thread for each request that came.

It is as strict as the specification allows: what the other side does against a rule is a complaint, by its id.
"""

from __future__ import annotations

import itertools
import queue
import socket
import struct
import threading
from collections.abc import Callable
from typing import Any

from .channels import WAIT_S, Gone
from .connection import Connection, Metadata, Method
from .messages import VALUE, message, read_message
from .postcard import Malformed, encode

ROOT = 0
METADATA_COUNT, METADATA_KEY, METADATA_VALUE, METADATA_ALL = 128, 256, 16_384, 65_536
CREDIT_KEY = "peeps.channel_credit"  # both sides say "full", else nobody counts


class Link:
    """A socket and what goes over it."""

    def __init__(
        self,
        sock: socket.socket,
        initiator: bool,
        methods: dict[int, tuple[Method, Callable[..., Any]]],
        *,
        window: int = 65_536,
        full: bool = True,
        payload: int = 1 << 20,
        requests: int = 64,
        accepting: bool = True,
    ) -> None:
        self.sock = sock
        self.initiator = initiator
        self.methods = methods
        self.accepting = accepting
        self.complaints: list[str] = []
        self.most_unread = 0
        self.asked = threading.Event()  # a request has come
        self.hello_of_peer: Any = None
        self.connections: dict[int, Connection] = {}
        self.connecting: dict[int, queue.SimpleQueue[Any]] = {}
        self.last_connect = 0
        self._writing = threading.Lock()
        metadata: Metadata = [("name", ("String", "foreign"), 0), ("of-no-meaning", ("Bytes", b"\0"), 1 << 40)]
        if full:
            metadata.append((CREDIT_KEY, ("String", "full"), 0))
        mine = {"payload": payload, "credit": window, "requests": requests, "metadata": metadata}
        self.send("Hello", ("V6", mine))
        name, hello = self.receive() or ("nothing", ("", {}))
        if name != "Hello":
            raise Gone(f"{name} before Hello")
        version: str = hello[0]
        theirs: dict[str, Any] = hello[1]
        if version != "V6":
            self.complain("message.hello.unknown-version", version)
        self.hello_of_peer = theirs
        self.payload, self.requests = min(payload, theirs["payload"]), min(requests, theirs["requests"])
        self.window = min(window, theirs["credit"])
        said = {key: value for key, (_, value), _ in theirs["metadata"]}
        self.full: bool = full and said.get(CREDIT_KEY) == "full"
        self.root = self.open(ROOT)
        self.reading = threading.Thread(target=self._read, daemon=True)
        self.reading.start()

    def open(self, conn: int) -> Connection:
        self.connections[conn] = found = Connection(self, conn)
        return found

    def complain(self, rule: str, about: Any = "") -> None:
        self.complaints.append(f"{rule} {about}".strip())

    def send(self, name: str, fields: Any) -> None:
        self.send_frame(message(name, fields))

    def send_frame(self, body: bytes, length: int | None = None) -> None:
        with self._writing:
            self.sock.sendall(struct.pack("<I", len(body) if length is None else length) + body)

    def receive(self) -> tuple[str, Any] | None:
        """The next message; None at the end."""
        head = self._exactly(4)
        body = None if head is None else self._exactly(struct.unpack("<I", head)[0])
        return None if body is None else read_message(body)

    def _exactly(self, count: int) -> bytes | None:
        got = b""
        while len(got) < count:
            try:
                piece = self.sock.recv(count - len(got))
            except OSError:
                piece = b""
            if not piece:
                return None
            got += piece
        return got

    def _read(self) -> None:
        try:
            while (found := self.receive()) is not None:
                self._take(*found)
        except Malformed as error:
            self.complain("message.decode-error", error)
        for connection in list(self.connections.values()):
            if connection.ended is None:
                connection.end("end of the socket")

    def _take(self, name: str, message: Any) -> None:
        if name == "Hello":
            return self.complain("a second Hello")
        self._check_metadata(message.get("metadata", []))
        if name == "Connect":
            return self._take_connect(message)
        if name in ("Accept", "Reject"):
            return self._take_answer(name, message)
        connection = self.connections.get(message["conn"])
        if connection is None:
            return None if name == "Goodbye" else self.complain("message.conn-id", (name, message["conn"]))
        if connection.ended is not None:
            return self.complain("message.goodbye.send", (name, "after Goodbye"))
        if name != "Goodbye":
            return connection.take(name, message)
        connection.end(message["reason"])
        if message["conn"] == ROOT:
            for other in list(self.connections.values()):
                if other.ended is None:
                    other.end(message["reason"])
        return None

    def _check_metadata(self, metadata: Metadata) -> None:
        sizes = [(len(key.encode()), len(encode(VALUE, value))) for key, value, _ in metadata]
        if len(sizes) > METADATA_COUNT or sum(map(sum, sizes)) > METADATA_ALL + 1024:
            self.complain("call.metadata.limits")
        if any(key > METADATA_KEY or value > METADATA_VALUE + 4 for key, value in sizes):
            self.complain("call.metadata.limits")

    def _take_connect(self, message: Any) -> None:
        if not self.accepting:
            fields: dict[str, Any] = {"request": message["request"], "reason": "not listening", "metadata": []}
            return self.send("Reject", fields)
        conn = next(number for number in itertools.count(1) if number not in self.connections)
        self.open(conn)
        return self.send("Accept", {"request": message["request"], "conn": conn, "metadata": message["metadata"]})

    def _take_answer(self, name: str, message: Any) -> None:
        """To a Connect of ours."""
        waiting = self.connecting.pop(message["request"], None)
        if waiting is None:
            return self.complain(f"{name} of nothing", message["request"])
        if name == "Accept":
            if message["conn"] in self.connections:
                self.complain("core.conn.id-allocation", message["conn"])
            self.open(message["conn"])
        return waiting.put((name, message))

    def connect(self, metadata: Metadata | None = None) -> Connection | str:
        """A further connection, or why there is none."""
        self.last_connect += 1
        waiting: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.connecting[self.last_connect] = waiting
        self.send("Connect", {"request": self.last_connect, "metadata": metadata or []})
        name, message = waiting.get(timeout=WAIT_S)
        return self.connections[message["conn"]] if name == "Accept" else message["reason"]

    def goodbye(self, reason: str = "", conn: int = ROOT) -> None:
        self.send("Goodbye", {"conn": conn, "reason": reason})
