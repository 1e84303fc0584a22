# SPDX-License-Identifier: Apache-2.0
"""A handler takes its time with each record, with its lock held; two workers log, and logging is configured anew."""

import logging
import logging.config
import threading
import time


class Slow(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        time.sleep(0.3)


def work() -> None:
    while True:
        logging.getLogger("work").warning("working")
        time.sleep(0.05)


for number in range(2):
    threading.Thread(target=work, name=f"worker-{number}", daemon=True).start()
while True:
    logging.getLogger().addHandler(Slow())
    time.sleep(2)
    logging.config.dictConfig({"version": 1, "root": {"handlers": []}, "disable_existing_loggers": False})
