# SPDX-License-Identifier: Apache-2.0
"""Waits until no other head has the lead, then serves as long as it has it."""

from __future__ import annotations

import dataclasses
import os
import signal
import sys
import tempfile
import threading
from types import FrameType

import psycopg

from .. import log_lines
from ..config import Config
from ..lake.head import Head
from ..lake.lead import Lead
from ..lake.settings import LakeSettings
from ..role import Role
from ..store.database import Database
from .serve import serve

_WAIT_S = 1.0


def lead(config: Config, settings: LakeSettings, *, explorer: bool, ready_file: str | None) -> int:
    """0 after a clean end, 1 where the lead was lost, 2 where it could not start."""
    log_lines.set_up(config.log_json)
    stop = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    taken = _taken(settings, stop)
    if taken is None:
        return 0
    print("peeps head: has the lead", flush=True)
    lost: list[str] = []

    def give_up(why: str) -> None:
        lost.append(why)
        os.kill(os.getpid(), signal.SIGTERM)

    def role(given: Config, database: Database) -> Role:
        return Head(given, settings, database, taken, give_up)

    with tempfile.TemporaryDirectory(prefix="peeps-head-") as folder:
        # Its file is only for what is on its way: the history is in the lake.
        own = dataclasses.replace(config, database=f"{folder}/head.duckdb", queries=str(config.queries_folder))
        code = serve(own, explorer=explorer, ready_file=ready_file, role=role)
    taken.close()
    if lost:
        print(f"peeps: another head may have the lead: {lost[0]}", file=sys.stderr)
        return 1
    return code


def _taken(settings: LakeSettings, stop: threading.Event) -> Lead | None:
    """The lead, once it is to be had; None where it is to end before. Of a catalog that does not answer it says so."""
    said = ""
    waiting: Lead | None = None
    while not stop.is_set():
        try:
            waiting = waiting or Lead(settings.catalog)
            if waiting.take():
                return waiting
            why = "another head has the lead; this one waits for it"
        except psycopg.Error as error:
            waiting = None
            why = f"the catalog does not answer: {error}"
        if why != said:
            print(f"peeps head: {why}", flush=True)
            said = why
        stop.wait(_WAIT_S)
    if waiting is not None:
        waiting.close()
    return None
