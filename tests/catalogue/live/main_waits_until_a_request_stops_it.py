# SPDX-License-Identifier: Apache-2.0
"""The main thread waits for an event that the handler of a request sets, which nobody has sent yet."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

stop = threading.Event()


class Admin(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        stop.set()
        self.send_response(200)
        self.end_headers()


server = ThreadingHTTPServer(("127.0.0.1", 0), Admin)
threading.Thread(target=server.serve_forever, name="http", daemon=True).start()
stop.wait()
