# SPDX-License-Identifier: Apache-2.0
"""Runs a command that ends when its parent does, however the parent ends.

The parent holds the write end of our standard input and never writes: end of file means that it is gone, also after
`kill -9`. Used for the explorer: `python -m peeps_collector.cli.run_until_parent_exits COMMAND …`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from types import FrameType

_GRACE_SECONDS = 5.0


def main(command: list[str]) -> int:
    """The command's exit code."""
    # Ctrl-C reaches the whole terminal group; the parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)

    def end(_number: int, _frame: FrameType | None) -> None:
        child.terminate()

    signal.signal(signal.SIGTERM, end)

    def follow() -> None:
        while os.read(0, 1024):
            pass
        child.terminate()
        try:
            child.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()

    threading.Thread(target=follow, daemon=True).start()
    return child.wait()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
