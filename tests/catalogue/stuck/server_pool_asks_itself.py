# SPDX-License-Identifier: Apache-2.0
"""A server hands each request to a pool of two threads, and both are in a request to the same server: nobody is left to
answer either."""

from __future__ import annotations

import socketserver
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

POOL = ThreadPoolExecutor(2, "handler")
BOTH = threading.Barrier(2)


class PoolServer(socketserver.ThreadingMixIn, HTTPServer):
    def process_request(self, request: Any, client_address: Any) -> None:
        POOL.submit(self.process_request_thread, request, client_address)


class Prices(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/total":
            BOTH.wait()
            urllib.request.urlopen(f"{URL}/price").close()  # <- asks its own server
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


server = PoolServer(("127.0.0.1", 0), Prices)
URL = f"http://127.0.0.1:{server.server_address[1]}"
for number in range(2):
    threading.Thread(
        target=lambda: urllib.request.urlopen(f"{URL}/total").close(), name=f"client-{number}", daemon=True
    ).start()
server.serve_forever()
