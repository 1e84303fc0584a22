# SPDX-License-Identifier: Apache-2.0
"""A signal handler asks for the lock that the main thread held when the signal came."""

import os
import signal
import threading

state = threading.Lock()
counters = {"reloads": 0}


def reload(number: int, frame: object) -> None:
    with state:  # <- handler waits
        counters["reloads"] += 1


def work() -> None:
    with state:  # <- work takes state
        os.kill(os.getpid(), signal.SIGHUP)
        print("worked")


signal.signal(signal.SIGHUP, reload)
work()
