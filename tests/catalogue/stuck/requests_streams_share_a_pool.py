# SPDX-License-Identifier: Apache-2.0
"""Two threads read a stream line by line and look up each line by the same session, whose pool has two connections."""

import http.server
import threading

import requests
from requests.adapters import HTTPAdapter


class Feed(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "200000")
        self.end_headers()
        self.wfile.write(b"line of the feed\n" * 11_764 + b"the last one")

    def log_message(self, format: str, *args: object) -> None:
        pass


def look_up(session: requests.Session, url: str) -> int:
    return session.get(url).status_code  # <- looks up


def follow(session: requests.Session, url: str, both: threading.Barrier) -> None:
    with session.get(url, stream=True) as feed:  # <- follows
        both.wait()
        for line in feed.iter_lines():
            look_up(session, f"{url}/{len(line)}")


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Feed)
threading.Thread(target=server.serve_forever, name="server", daemon=True).start()
session = requests.Session()
session.mount("http://", HTTPAdapter(pool_connections=1, pool_maxsize=2, pool_block=True))
both = threading.Barrier(2)
url = f"http://127.0.0.1:{server.server_port}/feed"
followers = [
    threading.Thread(target=follow, args=(session, url, both), name=f"follower-{number}") for number in range(2)
]
for follower in followers:
    follower.start()
for follower in followers:
    follower.join()
