# SPDX-License-Identifier: Apache-2.0
"""For the programs of these tests: each process writes what it has found into one file, with its pid."""

from __future__ import annotations

import json
import os
import threading

import peeps_otel
from peeps_otel import agent
from peeps_otel.model import Finding, NodeKind
from peeps_otel.probes.probe import Observation
from peeps_otel.watcher.interfaces import Waiting

_PATH = os.environ.get("FORKS_REPORT", "")


def begin() -> None:
    """Watches this process and every one forked from it. A spawned process calls it again, by importing the program."""
    peeps_otel.init("forks")
    os.register_at_fork(after_in_child=_report)
    _report()


class _Reporter:
    """A `WatcherRule` that finds nothing and writes down what the others have found, and what was seen."""

    def __init__(self) -> None:
        self._told: set[str] = set()
        self._looks = 0

    def look(self, observation: Observation, waiting: Waiting, findings: list[Finding], now_ns: int) -> list[Finding]:
        self._looks += 1
        for finding in findings:
            self._write({"found": f"{finding.level} {finding.kind}: {finding.title}"})
        if self._looks > 2:  # by then it is known what has run in between
            for node in observation.nodes.values():
                if node.kind in (NodeKind.TASK, NodeKind.THREAD) and not node.name.startswith("peeps-"):
                    operation = "" if node.wait is None else node.wait.operation
                    self._write({"seen": f"{node.kind} {node.name} {node.state} {operation}".rstrip()})
        return []

    def _write(self, facts: dict[str, object]) -> None:
        line = json.dumps({"pid": os.getpid(), **facts})
        if line not in self._told:
            self._told.add(line)
            with open(_PATH, "a", encoding="utf-8") as file:
                file.write(line + "\n")


def _report() -> None:
    threading.Thread(target=_add, name="peeps-test-report", daemon=True).start()


def _add() -> None:
    running = agent.running()
    if running is not None:
        running.watcher.rules.append(_Reporter())
