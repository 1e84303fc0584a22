# SPDX-License-Identifier: Apache-2.0
"""gevent's WSGI server under load by `requests`, all patched: a lock, a queue with workers, a pool, nobody is stuck."""

from gevent import monkey

monkey.patch_all()

import queue  # noqa: E402  # only now: what is imported before has the system's own
import threading  # noqa: E402  # as above
import time  # noqa: E402  # as above
from collections.abc import Callable, Iterable  # noqa: E402  # as above
from typing import Any  # noqa: E402  # as above

import gevent  # noqa: E402  # as above
import requests  # noqa: E402  # as above
from gevent.pool import Pool  # noqa: E402  # as above
from gevent.pywsgi import WSGIServer  # noqa: E402  # as above

counter = threading.Lock()
jobs: queue.Queue[int] = queue.Queue(4)


def application(_environment: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    with counter:
        time.sleep(0.002)
    jobs.put(1)
    start("200 OK", [("Content-Type", "text/plain")])
    return [b"done"]


def work() -> None:
    while True:
        jobs.get()
        time.sleep(0.001)
        jobs.task_done()


def ask(port: int) -> None:
    session = requests.Session()
    while True:
        session.get(f"http://127.0.0.1:{port}/", timeout=30).raise_for_status()


for _ in range(2):
    threading.Thread(target=work, daemon=True).start()
server = WSGIServer(("127.0.0.1", 0), application, log=None, spawn=Pool(50))
server.start()
assert server.server_port is not None
for _ in range(7):
    gevent.spawn(ask, server.server_port)
ask(server.server_port)
