# SPDX-License-Identifier: Apache-2.0
"""The thread of a `QueueListener` logs what it has done, into the full queue that only it takes from."""

import logging
import logging.handlers
import queue
import time

log = logging.getLogger("app")
records = queue.Queue[logging.LogRecord](maxsize=20)


class Blocking(logging.handlers.QueueHandler):
    def enqueue(self, record: logging.LogRecord) -> None:
        records.put(record)  # <- waits for room


class Shipper(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        time.sleep(0.1)
        if record.getMessage() == "row 7":
            log.warning("shipped")  # <- logs what it has done


log.addHandler(Blocking(records))
listener = logging.handlers.QueueListener(records, Shipper())
listener.start()
for number in range(1000):
    log.warning("row %d", number)
