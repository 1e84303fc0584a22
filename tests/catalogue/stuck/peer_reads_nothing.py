# SPDX-License-Identifier: Apache-2.0
"""A thread sends to a peer in another process that never reads."""

import socket
import subprocess
import sys
import threading

PEER = """
import socket, sys, time
connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
time.sleep(3600)
"""


def send(connection: socket.socket) -> None:
    connection.sendall(bytes(100_000_000))  # <- sends


with socket.create_server(("127.0.0.1", 0)) as server:
    peer = subprocess.Popen([sys.executable, "-S", "-c", PEER, str(server.getsockname()[1])])
    connection, _ = server.accept()
threading.Thread(target=send, args=(connection,), name="sender").start()
