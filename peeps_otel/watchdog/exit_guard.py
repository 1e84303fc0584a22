# SPDX-License-Identifier: Apache-2.0
"""The process that ends a program which was told to end, wanted to say first what is stuck in it, and never will.

The program has a handler for SIGTERM that writes to a socket, and a thread that reads it. Where no Python of it can run
any more, what is written there stays, and this process kills the program when its time is up. It takes nothing from the
program but that socket and a handle on the process, says nothing anywhere, and ends with the program.
"""

from __future__ import annotations

import array
import fcntl
import os
import select
import signal
import sys
import termios
import time

SOCKET_FD = 3
_POLL_S = 0.1
_GRACE_S = 0.25  # for the program to end by itself when its seconds are over


def main() -> None:
    """`python -c … PID SECONDS`."""
    pid, seconds = int(sys.argv[1]), float(sys.argv[2])
    os.closerange(SOCKET_FD + 1, max(map(int, os.listdir("/proc/self/fd"))) + 1)
    process = os.pidfd_open(pid)
    if os.fork():
        os._exit(0)  # the program waits for this one only, so the other is not its child
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.chdir("/")
    try:
        _guard(process, seconds)
    finally:
        os._exit(0)


def _guard(process: int, seconds: float) -> None:
    """Returns when the program has ended, or has closed its end."""
    told = select.poll()
    told.register(SOCKET_FD, select.POLLIN)
    told.register(process, select.POLLIN)
    ended = select.poll()
    ended.register(process, select.POLLIN)
    while True:
        events = dict(told.poll())
        if process in events or events.get(SOCKET_FD, 0) & (select.POLLHUP | select.POLLERR):
            return
        end_s = time.monotonic() + seconds + _GRACE_S
        while _unread() and time.monotonic() < end_s:
            if ended.poll(_POLL_S * 1e3):
                return
        if _unread():
            signal.pidfd_send_signal(process, signal.SIGKILL)
            return
        time.sleep(_POLL_S)


def _unread() -> bool:
    found = array.array("i", [0])
    fcntl.ioctl(SOCKET_FD, termios.FIONREAD, found)
    return found[0] > 0
