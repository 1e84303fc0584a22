# SPDX-License-Identifier: Apache-2.0
"""A thread keeps a response of the only connection while it waits for another thread, which needs one too."""

import http.server
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx


class Archive(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        self.wfile.write(b"x" * 100_000)

    def log_message(self, format: str, *args: object) -> None:
        pass


def checksum(client: httpx.Client, url: str) -> int:
    return len(client.get(f"{url}/checksum").content)  # <- asks for the checksum


def restore(client: httpx.Client, url: str) -> None:
    with ThreadPoolExecutor(1, "checker") as checker, client.stream("GET", url) as archive:  # <- streams the archive
        expected = checker.submit(checksum, client, url)
        print(expected.result(), archive.status_code)  # <- waits for the checksum


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Archive)
threading.Thread(target=server.serve_forever, name="server", daemon=True).start()
client = httpx.Client(limits=httpx.Limits(max_connections=1), timeout=None, verify=False)
restorer = threading.Thread(target=restore, args=(client, f"http://127.0.0.1:{server.server_port}"), name="restorer")
restorer.start()
restorer.join()
