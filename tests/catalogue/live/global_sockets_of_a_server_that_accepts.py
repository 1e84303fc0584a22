# SPDX-License-Identifier: Apache-2.0
"""A relay whose sockets are globals: both ends wait for the other, until somebody connects and has one write."""

import socket
import threading

left, right = socket.socketpair()
listener = socket.create_server(("127.0.0.1", 0))


def relay() -> None:
    while data := left.recv(100):
        left.sendall(data)


def ask() -> bytes:
    right.sendall(b"x")
    return right.recv(1)


def watch() -> None:
    while right.recv(100):
        pass


def serve() -> None:
    while True:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(ask())


for target in (relay, watch):
    threading.Thread(target=target, name=target.__name__, daemon=True).start()
serve()
