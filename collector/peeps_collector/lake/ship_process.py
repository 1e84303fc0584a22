# SPDX-License-Identifier: Apache-2.0
"""The collector's side of its shipper: a process that is started anew whenever it has ended."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import orjson

from ..store.sql_processes import environment_of_ours
from .settings import LakeSettings

_PAUSE_S = 1.0
_ENDING_S = 10.0
_log = logging.getLogger(__name__)


class ShipProcess:
    """`start` and `stop` once; the rest from any thread. `keeps_up`: it is the one that does the upkeep."""

    def __init__(self, folder: Path, shard: str, settings: LakeSettings, *, keeps_up: bool = False) -> None:
        self._command = [sys.executable, "-m", "peeps_collector.lake.shipper", str(folder), shard, settings.text()]
        self._command += ["upkeep"] if keeps_up else []
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="peeps-lake", daemon=True)
        self._seconds = 0.0
        self.failure = ""
        """Why the last batches could not be taken to the lake; empty where they could."""
        self.commits = self.batches = self.rows = self.ended = 0
        self.upkeep = ""
        """What was done last for the lake."""

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """What waits goes, as far as that is soon done."""
        self._stop.set()
        with self._lock:
            if self._process is not None and self._process.stdin is not None:
                self._process.stdin.close()
        if self._thread.ident is not None:
            self._thread.join(_ENDING_S)
        with self._lock:
            if self._process is not None and self._process.poll() is None:
                self._process.kill()

    def status(self) -> dict[str, Any]:
        with self._lock:
            return {
                "commits": self.commits,
                "batches": self.batches,
                "rows": self.rows,
                "seconds": round(self._seconds, 3),
                "restarts": self.ended,
                "upkeep": self.upkeep,
                "failure": self.failure,
            }

    def _run(self) -> None:
        while not self._stop.is_set():
            process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment_of_ours(),
            )
            with self._lock:
                self._process = process
                if self._stop.is_set() and process.stdin is not None:
                    process.stdin.close()
            assert process.stdout is not None
            for line in process.stdout:
                self._heard(line)
            code = process.wait()
            process.stdout.close()
            if self._stop.is_set():
                return
            with self._lock:
                self.ended += 1
                self.failure = self.failure or f"the process that ships to the lake ended ({code}); it is started anew"
            time.sleep(_PAUSE_S)

    def _heard(self, line: bytes) -> None:
        said: dict[str, Any] = orjson.loads(line)
        with self._lock:
            if "upkeep" in said:
                self.upkeep = said["upkeep"]
                return
            failure = str(said["failure"])
            if failure and failure != self.failure:
                _log.warning("the lake takes nothing: %s", failure)
            self.failure = failure
            if said.get("batches"):
                self.commits += 1
                self.batches += said["batches"]
                self.rows += said["rows"]
                self._seconds += said["seconds"]
