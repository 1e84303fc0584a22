# SPDX-License-Identifier: Apache-2.0
"""Threads that gevent has made greenlets of take two locks in opposite orders; another one works on."""

from gevent import monkey

monkey.patch_all()

import threading  # noqa: E402  # only now: what is imported before has the system's own
import time  # noqa: E402  # as above

accounts, journal = threading.Lock(), threading.Lock()


def transfer() -> None:
    with accounts:  # <- transfer takes accounts
        time.sleep(0.1)
        with journal:  # <- transfer waits
            pass


def audit() -> None:
    with journal:  # <- audit takes journal
        time.sleep(0.1)
        with accounts:  # <- audit waits
            pass


def work() -> None:
    while True:
        time.sleep(0.2)


threading.Thread(target=work, name="work", daemon=True).start()
both = [threading.Thread(target=target, name=target.__name__) for target in (transfer, audit)]
for thread in both:
    thread.start()
for thread in both:
    thread.join()
