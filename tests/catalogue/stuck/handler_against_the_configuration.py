# SPDX-License-Identifier: Apache-2.0
"""A handler opens another one in `emit()`, with its own lock held, while logging is configured anew, which has the lock
of `logging` and wants that of each handler."""

import logging
import logging.config
import threading
import time

_ROLLS_AT = 50
rolls = threading.Event()


class Rolling(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.records = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.records += 1
        if self.records == _ROLLS_AT:
            rolls.set()
            time.sleep(1)
            logging.FileHandler("/dev/null").close()  # <- opens another


def work() -> None:
    while True:
        logging.getLogger("work").warning("working")
        time.sleep(0.1)


logging.getLogger().addHandler(Rolling())
threading.Thread(target=work, name="worker", daemon=True).start()
rolls.wait()
logging.config.dictConfig({"version": 1, "root": {"handlers": []}})  # <- configures
