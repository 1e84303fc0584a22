# SPDX-License-Identifier: Apache-2.0
"""The process that takes a collector's batches to the lake: `python -m peeps_collector.lake.shipper FOLDER SHARD
SETTINGS`. What goes wrong there costs the collector nothing; it is started anew.

It ends when its standard input does, after what waits, and says on standard output how it goes, one JSON object a
line. Of two of one spool the second waits for the end of the first.
"""

from __future__ import annotations

import fcntl
import os
import random
import select
import signal
import sys
import threading
import time
from pathlib import Path

import duckdb
import orjson
import psycopg

from .settings import LakeError, LakeSettings
from .shipping import Shipping
from .upkeep import Upkeep

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 15.0
_JITTER = 0.2
_LAST_S = 8.0
_FAILURES = (duckdb.Error, psycopg.Error, LakeError, OSError, ValueError)


def main(folder: str, shard: str, settings: LakeSettings, keeps_up: bool) -> int:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the terminal: the collector decides
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    ending = _end_of_input()
    with (Path(folder) / "lock").open("w") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        shipping = Shipping(Path(folder), shard, settings)
        upkeep = Upkeep(settings, shard) if keeps_up else None
        pause_s = _FIRST_PAUSE_S
        while True:
            begun = time.monotonic()
            is_last = ending.is_set()  # before the look at what waits
            try:
                shipped = shipping.turn()
                _say(batches=shipped.batches, rows=shipped.rows, seconds=time.monotonic() - begun, failure="")
                pause_s = _FIRST_PAUSE_S
                if shipped.more:
                    continue
                if is_last:
                    return 0
                if upkeep is not None and (done := upkeep.turn(shipping.connection)):
                    _say(upkeep=done)
                wait_s = max(0.0, settings.seconds * random.uniform(1 - _JITTER, 1 + _JITTER) - _since(begun))
            except _FAILURES as error:
                shipping.forget()
                _say(failure=f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")
                if is_last:
                    return 1  # what waits goes next time
                wait_s, pause_s = pause_s, min(2 * pause_s, _LONGEST_PAUSE_S)
            ending.wait(wait_s)


def _since(begun: float) -> float:
    return time.monotonic() - begun


def _say(**what: object) -> None:
    try:
        os.write(sys.stdout.fileno(), orjson.dumps(what) + b"\n")
    except OSError:
        return  # the collector was killed


def _end_of_input() -> threading.Event:
    """Set at its end; some seconds later the process is over, whatever it does."""
    ended = threading.Event()
    poll = select.poll()
    poll.register(sys.stdin.fileno(), 0)  # the end of the other side only

    def wait() -> None:
        poll.poll()
        ended.set()
        time.sleep(_LAST_S)
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
    return ended


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1], sys.argv[2], LakeSettings.of(sys.argv[3]), sys.argv[4:] == ["upkeep"]))
