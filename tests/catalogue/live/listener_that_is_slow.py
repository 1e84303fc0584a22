# SPDX-License-Identifier: Apache-2.0
"""A `QueueListener` takes its time, so four workers wait for room in its queue and for the lock of the handler that
puts; it logs what it has done by a logger of its own."""

import logging
import logging.handlers
import queue
import threading
import time

log = logging.getLogger("app")
records = queue.Queue[logging.LogRecord](maxsize=5)


class Blocking(logging.handlers.QueueHandler):
    def enqueue(self, record: logging.LogRecord) -> None:
        records.put(record)


class Shipper(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        time.sleep(1.5)
        logging.getLogger("shipper").debug("shipped")


def work() -> None:
    for number in range(1_000_000):
        log.warning("row %d", number)


log.addHandler(Blocking(records))
logging.handlers.QueueListener(records, Shipper()).start()
for number in range(4):
    threading.Thread(target=work, name=f"worker-{number}", daemon=True).start()
threading.Event().wait()
