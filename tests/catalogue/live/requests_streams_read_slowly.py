# SPDX-License-Identifier: Apache-2.0
"""Downloads through a blocking pool of two connections that take over a second each: the others get their turn."""

import http.server
import threading
import time

import requests
from requests.adapters import HTTPAdapter


class Files(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        for _ in range(10):
            time.sleep(0.12)
            self.wfile.write(b"x" * 100)

    def log_message(self, format: str, *args: object) -> None:
        pass


def download(session: requests.Session, url: str) -> None:
    while True:
        with session.get(url, stream=True) as answer:
            for _part in answer.iter_content(50):
                pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files)
threading.Thread(target=server.serve_forever, name="server", daemon=True).start()
session = requests.Session()
session.mount("http://", HTTPAdapter(pool_maxsize=2, pool_block=True))
url = f"http://127.0.0.1:{server.server_port}/file"
loaders = [threading.Thread(target=download, args=(session, url), name=f"loader-{number}") for number in range(5)]
for loader in loaders:
    loader.start()
for loader in loaders:
    loader.join()
