# SPDX-License-Identifier: Apache-2.0
"""Six threads share a client of two connections; some read their responses bit by bit."""

import contextlib
import http.server
import threading
import time

import httpx


class Shop(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "500")
        self.end_headers()
        for _ in range(5):
            time.sleep(0.05)
            self.wfile.write(b"x" * 100)

    def handle(self) -> None:
        with contextlib.suppress(OSError):  # the program is being ended
            super().handle()

    def log_message(self, format: str, *args: object) -> None:
        pass


def buy(client: httpx.Client, url: str) -> None:
    while True:
        client.get(url)
        with client.stream("GET", url) as bill:
            for _part in bill.iter_bytes(50):
                pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Shop)
threading.Thread(target=server.serve_forever, name="server", daemon=True).start()
client = httpx.Client(limits=httpx.Limits(max_connections=2), timeout=None, verify=False)
url = f"http://127.0.0.1:{server.server_port}"
buyers = [threading.Thread(target=buy, args=(client, url), name=f"buyer-{number}") for number in range(6)]
for buyer in buyers:
    buyer.start()
for buyer in buyers:
    buyer.join()
