# SPDX-License-Identifier: Apache-2.0
"""coleifer/peewee#3047: `manual_close` takes the pool's lock and then the database's, `connect` the other way round."""

import threading
import time

db_lock = threading.RLock()
pool_lock = threading.Lock()


def connect() -> None:
    with db_lock:  # <- connect takes db
        time.sleep(0.1)
        with pool_lock:  # <- connect waits for pool
            print("connected")


def manual_close() -> None:
    with pool_lock:  # <- close takes pool
        time.sleep(0.1)
        with db_lock:  # <- close waits for db
            print("closed")


web = threading.Thread(target=connect, name="web")
janitor = threading.Thread(target=manual_close, name="janitor")
web.start()
janitor.start()
web.join()
