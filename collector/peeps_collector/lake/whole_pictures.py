# SPDX-License-Identifier: Apache-2.0
"""Asks the programs of a collector for complete snapshots, for a head that begins and knows nothing yet. Not all at
once: who is not asked within their usual time sends one by itself."""

from __future__ import annotations

import secrets
import threading

from ..graph.live import LiveGraph
from ..graph.process import State
from ..requests_out import CUT, ProcessRequests

_AT_ONCE, _EVERY_S, _LONGEST_S = 10, 0.2, 30.0


class WholePictures:
    """`ask` from any thread."""

    def __init__(self, live: LiveGraph, requests: ProcessRequests) -> None:
        self._live = live
        self._requests = requests
        self._stop = threading.Event()

    def ask(self) -> None:
        """Begins, in the place of what was begun before."""
        self._stop.set()
        stop = self._stop = threading.Event()
        threading.Thread(target=self._run, args=(stop,), name="peeps-whole", daemon=True).start()

    def stop(self) -> None:
        self._stop.set()

    def _run(self, stop: threading.Event) -> None:
        processes = self._live.processes().items()
        wanted = [key for key, process in processes if process.state is State.LIVE and process.sequence]
        request = secrets.token_hex(8)
        for place in range(0, min(len(wanted), int(_LONGEST_S / _EVERY_S) * _AT_ONCE), _AT_ONCE):
            for process in wanted[place : place + _AT_ONCE]:
                self._requests.tell(CUT, process, request)
            if stop.wait(_EVERY_S):
                return
