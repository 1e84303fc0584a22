# SPDX-License-Identifier: Apache-2.0
"""The documentation of socketserver warns of it: `shutdown()` from a request that the server's own thread handles.

It waits until `serve_forever` has ended, in the thread that is in `serve_forever`.
"""

import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer


class Admin(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.server.shutdown()  # <- waits for the server
        self.send_response(204)
        self.end_headers()


def stop(port: int) -> None:
    time.sleep(0.5)
    urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{port}/stop", method="POST"))


server = HTTPServer(("127.0.0.1", 0), Admin)
threading.Thread(target=stop, args=(server.server_port,), name="operator", daemon=True).start()
server.serve_forever()
