# SPDX-License-Identifier: Apache-2.0
"""Clients of a TLS server that let their handshake wait for seconds, so that others wait to be accepted. Without
certificates."""

import socket
import socketserver
import ssl
import threading
import time


def context(purpose: int) -> ssl.SSLContext:
    found = ssl.SSLContext(purpose)
    found.check_hostname, found.verify_mode = False, ssl.CERT_NONE
    found.maximum_version = ssl.TLSVersion.TLSv1_2
    found.set_ciphers("aNULL:@SECLEVEL=0")
    return found


class Greeter(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self.wfile.write(b"hello\n")


def serve(server: socketserver.ThreadingTCPServer) -> None:
    server.socket = context(ssl.PROTOCOL_TLS_SERVER).wrap_socket(server.socket, server_side=True)
    server.serve_forever()


def ask(port: int, pause_s: float) -> None:
    while True:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            time.sleep(pause_s)
            with context(ssl.PROTOCOL_TLS_CLIENT).wrap_socket(connection) as wrapped:
                assert wrapped.recv(100) == b"hello\n"


server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Greeter)
threading.Thread(target=serve, args=(server,), name="server", daemon=True).start()
for pause_s in (7, 5, 0):
    threading.Thread(target=ask, args=(server.server_address[1], pause_s), daemon=True).start()
threading.Event().wait()
