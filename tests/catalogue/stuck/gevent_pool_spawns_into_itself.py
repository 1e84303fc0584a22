# SPDX-License-Identifier: Apache-2.0
"""Each greenlet of a full gevent pool spawns another one into the same pool and waits for it; the rest works on."""

import gevent
from gevent.pool import Pool

crawlers = Pool(2)


def fetch(page: int) -> int:
    gevent.sleep(0.05)
    return page


def crawl() -> None:
    gevent.sleep(0.1)
    crawlers.spawn(fetch, 1).get()  # <- crawl waits


def work() -> None:
    while True:
        gevent.sleep(0.2)


gevent.spawn(work)
for _ in range(2):
    crawlers.spawn(crawl)
crawlers.join()
