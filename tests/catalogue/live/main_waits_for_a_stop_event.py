# SPDX-License-Identifier: Apache-2.0
"""Workers wait for jobs that come over HTTP; the main thread waits for an event of the module that nothing sets."""

import queue
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

stop = threading.Event()
jobs: "queue.Queue[str]" = queue.Queue()


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        jobs.put(self.path)
        self.send_response(202)
        self.end_headers()


def work() -> None:
    while True:
        jobs.get()


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, name="http", daemon=True).start()
threading.Thread(target=work, name="worker", daemon=True).start()
stop.wait()
