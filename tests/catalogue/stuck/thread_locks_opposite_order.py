# SPDX-License-Identifier: Apache-2.0
"""Two threads take two locks in opposite order; the main thread joins them."""

import threading
import time

accounts = threading.Lock()
rates = threading.Lock()


def convert() -> None:
    with accounts:  # <- convert takes accounts
        time.sleep(0.1)
        with rates:  # <- convert waits for rates
            print("converted")


def update() -> None:
    with rates:  # <- update takes rates
        time.sleep(0.1)
        with accounts:  # <- update waits for accounts
            print("updated")


threads = [threading.Thread(target=convert, name="convert"), threading.Thread(target=update, name="update")]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
