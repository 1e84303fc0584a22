# SPDX-License-Identifier: Apache-2.0
"""Eight threads share a blocking pool of two connections: it is always exhausted, and always moves on."""

import http.server
import threading
import time

import urllib3


class Shop(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        time.sleep(0.02)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, format: str, *args: object) -> None:
        pass


def buy(pool: urllib3.HTTPConnectionPool) -> None:
    while True:
        pool.request("GET", "/buy")


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Shop)
threading.Thread(target=server.serve_forever, name="server", daemon=True).start()
pool = urllib3.HTTPConnectionPool("127.0.0.1", server.server_port, maxsize=2, block=True)
buyers = [threading.Thread(target=buy, args=(pool,), name=f"buyer-{number}") for number in range(8)]
for buyer in buyers:
    buyer.start()
for buyer in buyers:
    buyer.join()
