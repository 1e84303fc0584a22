# SPDX-License-Identifier: Apache-2.0
"""A server of one thread takes seconds for each request; the other clients wait until it accepts them."""

from __future__ import annotations

import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer


class Slow(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        time.sleep(4)
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


def ask(url: str) -> None:
    while True:
        urllib.request.urlopen(url).close()


server = HTTPServer(("127.0.0.1", 0), Slow)
for number in range(3):
    url = f"http://127.0.0.1:{server.server_address[1]}/"
    threading.Thread(target=ask, args=(url,), name=f"client-{number}", daemon=True).start()
server.serve_forever()
