# SPDX-License-Identifier: Apache-2.0
"""Two of a server's three threads wait for an answer of the same server, for which the third one takes its time."""

from __future__ import annotations

import socketserver
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

POOL = ThreadPoolExecutor(3, "handler")


class PoolServer(socketserver.ThreadingMixIn, HTTPServer):
    def process_request(self, request: Any, client_address: Any) -> None:
        POOL.submit(self.process_request_thread, request, client_address)


class Prices(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/total":
            urllib.request.urlopen(f"{URL}/price").close()
        else:
            time.sleep(7)
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


def ask() -> None:
    while True:
        urllib.request.urlopen(f"{URL}/total").close()


server = PoolServer(("127.0.0.1", 0), Prices)
URL = f"http://127.0.0.1:{server.server_address[1]}"
for number in range(2):
    threading.Thread(target=ask, name=f"client-{number}", daemon=True).start()
server.serve_forever()
