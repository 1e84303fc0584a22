# SPDX-License-Identifier: Apache-2.0
"""A crawler keeps the unread response of the index and asks the same pool of one connection for the page in it."""

import http.server
import threading

import urllib3


class Site(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        self.wfile.write(b"x" * 100_000)

    def log_message(self, format: str, *args: object) -> None:
        pass


def crawl(url: str) -> None:
    pool = urllib3.PoolManager(maxsize=1, block=True)
    index = pool.request("GET", url, preload_content=False)  # <- keeps the index
    print(index.headers["Content-Length"])
    page = pool.request("GET", f"{url}/page")  # <- asks for the page
    print(page.status)


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
threading.Thread(target=server.serve_forever, name="server", daemon=True).start()
crawler = threading.Thread(target=crawl, args=(f"http://127.0.0.1:{server.server_port}",), name="crawler")
crawler.start()
crawler.join()
