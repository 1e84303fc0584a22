# SPDX-License-Identifier: Apache-2.0
"""A listener that nobody accepts at any more; both ends of a connection by it, globals too, wait for each other."""

import socket
import threading

listener = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(listener.getsockname())
server, _ = listener.accept()


def ask() -> None:
    greeting = client.recv(100)  # <- asker waits
    client.sendall(b"thanks for " + greeting)


def answer() -> None:
    request = server.recv(100)  # <- answerer waits
    server.sendall(b"got " + request)


threads = [threading.Thread(target=ask, name="asker"), threading.Thread(target=answer, name="answerer")]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
