# SPDX-License-Identifier: Apache-2.0
"""A greenlet calls what gevent does not know, and no other greenlet runs: here `time.sleep`, which was not patched."""

import time

import gevent


def query() -> None:
    gevent.sleep(0.3)
    time.sleep(1000)  # <- query blocks


def work() -> None:
    while True:
        gevent.sleep(0.1)


gevent.spawn(work)
gevent.spawn(query).join()
