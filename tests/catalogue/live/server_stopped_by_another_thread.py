# SPDX-License-Identifier: Apache-2.0
"""A server is stopped from another thread, where that is right, and started anew; clients come all the time."""

import contextlib
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ports: list[int] = [0]


class Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        time.sleep(0.1)
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


def client() -> None:
    while True:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{ports[0]}/").read()
        time.sleep(0.05)


threading.Thread(target=client, name="client", daemon=True).start()
while True:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    ports[0] = server.server_port
    serving = threading.Thread(target=server.serve_forever, name="server")
    serving.start()
    time.sleep(2)
    server.shutdown()
    serving.join()
    server.server_close()
