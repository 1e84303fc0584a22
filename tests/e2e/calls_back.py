# SPDX-License-Identifier: Apache-2.0
"""A service of one thread that answers by asking another one: `calls_back.py NAME PORT OTHER [ask]`.

`/order` asks the other one's `/price`, `/price` asks the other one's `/rate`, so an order asks back whoever takes it;
`/slow` takes its time. The clients have spans, the servers have none. `ask`: what it asks of itself.
"""

from __future__ import annotations

import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import requests
from opentelemetry.instrumentation.requests import RequestsInstrumentor

import peeps_otel

ASKS = {"/order": "/price", "/price": "/rate"}


def get(port: str, path: str) -> str:
    while True:
        try:
            return requests.get(f"http://127.0.0.1:{port}{path}").text  # it is to wait for ever
        except requests.ConnectionError:  # not there yet
            time.sleep(0.1)


def main() -> None:
    name, port, other, *asks = sys.argv[1:]
    peeps_otel.init(name)
    RequestsInstrumentor().instrument()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/slow":
                time.sleep(3600)
            text = get(other, ASKS[self.path]) if self.path in ASKS else "1"
            self.send_response(200)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    server = HTTPServer(("127.0.0.1", int(port)), Handler)
    for path in asks:
        threading.Thread(target=get, args=(port, path), name="customer", daemon=True).start()
    server.serve_forever()


if __name__ == "__main__":
    main()
