# SPDX-License-Identifier: Apache-2.0
"""Programs that wait at the ends of sockets and pipes which other processes have: `both_ends.py ROLE NAME PORT OTHER`.

ROLE: `crosswise`, calls the other one while it holds the lock that its own answers need; `slow`, answers late;
`asks`, waits for the answer of a slow one; `parent`, waits for the end of a child which reads from a pipe that only
the parent writes to; `front` and `back`, servers of one thread each: what one is asked for it asks the other one for.
No instrumentation sees any of it.
"""

from __future__ import annotations

import multiprocessing
import socket
import socketserver
import sys
import threading
import time
from multiprocessing.connection import Connection

import peeps_otel


def serve(port: int, lock: threading.Lock, seconds: float) -> None:
    def handle(connection: socket.socket) -> None:
        while connection.recv(1):
            time.sleep(seconds)
            with lock:
                connection.sendall(b"!")

    def accept(server: socket.socket) -> None:
        while True:
            connection, _ = server.accept()
            threading.Thread(target=handle, args=(connection,), name="handler", daemon=True).start()

    server = socket.create_server(("127.0.0.1", port))
    threading.Thread(target=accept, args=(server,), name="acceptor", daemon=True).start()


def connect(port: int) -> socket.socket:
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port))
        except OSError:
            time.sleep(0.05)


def crosswise(port: int, other: int) -> None:
    lock = threading.Lock()
    serve(port, lock, 0)
    connection = connect(other)
    with lock:
        time.sleep(3)  # until the other one has got there too
        connection.sendall(b"?")
        connection.recv(1)


class OfOneThread(socketserver.BaseRequestHandler):
    other = 0

    def handle(self) -> None:
        with connect(self.other) as connection:
            connection.sendall(self.request.recv(1))
            self.request.sendall(connection.recv(1))


def asked_back(port: int, other: int, asks: bool) -> None:
    OfOneThread.other = other
    with socketserver.TCPServer(("127.0.0.1", port), OfOneThread) as server:
        if asks:
            connection = connect(port)
            connection.sendall(b"?")
        server.serve_forever()


def child(name: str, receives: Connection) -> None:
    peeps_otel.init(f"{name}-child")
    while receives.recv():
        pass


def parent(name: str) -> None:
    context = multiprocessing.get_context("spawn")
    receives, sends = context.Pipe(duplex=False)
    worker = context.Process(target=child, args=(name, receives), name="worker")
    worker.start()
    receives.close()
    sends.send("work")
    worker.join()
    sends.send("")


def main() -> None:
    role, name, port, other = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    peeps_otel.init(name)
    if role == "crosswise":
        crosswise(port, other)
    elif role == "slow":
        serve(port, threading.Lock(), 3600)
        time.sleep(3600)
    elif role in ("front", "back"):
        asked_back(port, other, role == "front")
    elif role == "asks":
        connection = connect(other)
        connection.sendall(b"?")
        connection.recv(1)
    else:
        parent(name)


if __name__ == "__main__":
    main()
