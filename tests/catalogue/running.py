# SPDX-License-Identifier: Apache-2.0
"""Programs of the catalogue run for real, several at a time, and what one collector says of each.

A run is `opentelemetry-instrument python program.py`, nothing else; it is ended when its verdict stands.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from tests.catalogue.expectation import HERE, Entry, Expected
from tests.support.collector import Collector
from tests.support.program import Program

AT_ONCE = 15
"""They mostly wait; what each takes is its start, three quarters of a second of processor time."""
PATIENCE_S = 30.0
"""For the first report, from the start of the interpreter, on a machine that is busy."""
GRACE_S = 10.0
"""For a verdict, beyond the time it may take, from the first report on."""
STANDS_S = 1.2
"""How long a verdict must stay as it is: longer than the time between two looks."""
_POLL_S = 0.2
_PORT = re.compile(r"(?<=127\.0\.0\.1):\d+")
_ORDER = ("PROVEN", "LIKELY", "SUSPECT", "SLOW")


@dataclass(frozen=True)
class Python:
    """An interpreter that has the packages. `version`: `3.11`."""

    executable: str
    version: str

    def has(self, modules: Sequence[str]) -> bool:
        return not modules or _can_import(self.executable, tuple(modules))


@dataclass
class Verdict:
    """What was said of one run. `stretch`: how much longer things may take, on a machine with too much to do.

    `final`: the findings at the end, the surest first. `seen`: all that ever were.
    """

    final: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    seen: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    stretch: float = 1.0
    reported: bool = False
    output: str = ""
    exit_code: int | None = None

    def title(self) -> str:
        return "\n".join(describe(finding) for finding in self.final) or "nothing"


def pythons() -> list[Python]:
    """This interpreter; and those of $PYTHONS (separated by `:`) and PATH that have the packages, one per version."""
    tried = [sys.executable, *filter(None, os.environ.get("PYTHONS", "").split(os.pathsep))]
    if os.environ.get("PEEPS_CATALOGUE_PYTHONS") == "all":
        folders = [*os.environ.get("PATH", "").split(os.pathsep), *map(str, Path.home().glob(".pyenv/versions/*/bin"))]
        tried += [str(Path(folder, f"python3.{minor}")) for minor in range(11, 16) for folder in folders]
    found: dict[str, Python] = {}
    for executable in tried:
        version = _usable(executable)
        if version and version not in found:
            found[version] = Python(executable, version)
    return list(found.values())


@cache
def _usable(executable: str) -> str:
    code = "import sys, peeps_otel_distro, uvloop; print('%d.%d' % sys.version_info[:2])"
    try:
        return subprocess.run([executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


@cache
def _can_import(executable: str, modules: tuple[str, ...]) -> bool:
    code = f"import {', '.join(modules)}"
    return subprocess.run([executable, "-c", code], capture_output=True).returncode == 0


class Catalogue:
    """One collector and the runs that report to it. `submit` what is wanted, in the order of the tests, then `close`.

    Thread-safe: each run has a thread of its own, one more asks the collector for all of them.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._collector = Collector(directory)
        self._workers = ThreadPoolExecutor(AT_ONCE, "catalogue")
        self._runs: dict[tuple[Entry, str, Python], Future[Verdict]] = {}
        self._open: dict[str, list[dict[str, Any]]] = {}
        self._known: set[str] = set()
        self._asked = 0
        self._stop = threading.Event()
        self._asking = threading.Thread(target=self._ask, name="catalogue-ask", daemon=True)
        self._asking.start()

    def submit(self, wanted: Iterable[tuple[Entry, str, Python]]) -> None:
        for run in wanted:
            if run not in self._runs:
                self._runs[run] = self._workers.submit(self._run, *run)

    def verdict(self, entry: Entry, loop: str, python: Python) -> Verdict:
        """Waits for the run, which is started now where it was not submitted."""
        self.submit([(entry, loop, python)])
        return self._runs[entry, loop, python].result()

    def close(self) -> None:
        self._stop.set()
        self._workers.shutdown(cancel_futures=True)
        self._asking.join()
        self._collector.end()

    def _ask(self) -> None:
        while not self._stop.wait(_POLL_S):
            with contextlib.suppress(OSError, ValueError, AssertionError):
                services = {p["id"]: p["service"] for p in self._collector.get("/api/processes")["processes"]}
                answer = self._collector.get("/api/findings")
                now: dict[str, list[dict[str, Any]]] = {}
                for finding in answer["findings"]:
                    for service in {services.get(process, "") for process in finding["processes"]}:
                        now.setdefault(service, []).append(finding)
                self._open = now
                self._known = set(services.values())
                self._asked += 1

    def _run(self, entry: Entry, loop: str, python: Python) -> Verdict:
        service = f"{entry.shelf}.{entry.name}.{loop}.{python.version}"
        folder = self._directory / service
        folder.mkdir()
        program = [str(entry.path)] if loop == "asyncio" else [str(HERE / "on_uvloop.py"), str(entry.path)]
        # Most expectations are those of the rules alone; what the heap adds is tested in tests/probes/test_heap_enders.
        heap = "true" if entry.heap else "false"
        settings = {"PEEPS_COLLECTOR_ENDPOINT": self._collector.otlp, "PEEPS_HEAP": heap}
        running = Program(service, program, folder, python.executable, **settings)
        process = running.process
        verdict = Verdict(stretch=_stretch())
        try:
            self._until_it_reports(service, process)
            if entry.live:
                self._watch(service, entry.watch_s, process, verdict)
            else:
                self._until_it_stands(service, entry, process, verdict)
            verdict.exit_code = process.poll()
        finally:
            running.kill()
        verdict.output = running.output()
        return verdict

    def _note(self, service: str, verdict: Verdict) -> None:
        verdict.reported = verdict.reported or service in self._known
        findings = self._open.get(service, [])
        for finding in findings:
            verdict.seen[f"{finding['id']} {finding['level']}"] = finding
        verdict.final = sorted(
            findings,
            key=lambda finding: (_ORDER.index(finding["level"]), finding["title"]),
        )

    def _until_it_reports(self, service: str, process: subprocess.Popen[bytes]) -> None:
        end = time.monotonic() + PATIENCE_S
        while service not in self._known and time.monotonic() < end and process.poll() is None:
            time.sleep(_POLL_S)

    def _watch(self, service: str, seconds: float, process: subprocess.Popen[bytes], verdict: Verdict) -> None:
        """Notes all that is said for `seconds`."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and process.poll() is None:
            self._note(service, verdict)
            time.sleep(_POLL_S)
        self._note(service, verdict)

    def _until_it_stands(self, service: str, entry: Entry, process: subprocess.Popen[bytes], verdict: Verdict) -> None:
        """Until the verdict is as expected and stays so, or time is up."""
        end = time.monotonic() + (entry.within_s + GRACE_S) * verdict.stretch
        since: float | None = None
        while time.monotonic() < end and process.poll() is None:
            self._note(service, verdict)
            if matches(entry.findings, verdict.final):
                since = since or time.monotonic()
                if time.monotonic() - since >= STANDS_S:
                    return
            else:
                since = None
            time.sleep(_POLL_S)


def _stretch() -> float:
    """From 1 to 3, by the load average. Our own programs are idle and hardly count."""
    return min(3.0, max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1) / 1.5))


def matches(expected: Sequence[Expected], found: Sequence[dict[str, Any]]) -> bool:
    """Whether `found` is exactly what is expected."""
    return not differences(expected, found)


def differences(expected: Sequence[Expected], found: Sequence[dict[str, Any]]) -> list[str]:
    """In plain words, empty where all is as expected. A finding of level SLOW may be there without being expected."""
    slow = {(wanted.kind, wanted.level) for wanted in expected if wanted.level == "SLOW"}
    left = [finding for finding in found if finding["level"] != "SLOW" or (finding["kind"], "SLOW") in slow]
    said: list[str] = []
    for wanted in expected:
        same = [finding for finding in left if (finding["kind"], finding["level"]) == (wanted.kind, wanted.level)]
        if not same:
            said.append(f"missing: {wanted.kind}, {wanted.level}, of {', '.join(sorted(wanted.members))}")
            continue
        best = min(same, key=lambda finding: len(_differ(wanted, finding)))
        left.remove(best)
        said += _differ(wanted, best)
    return said + [f"not expected: {describe(finding)}" for finding in left]


def _differ(wanted: Expected, finding: dict[str, Any]) -> list[str]:
    said: list[str] = []
    nodes = finding["nodes"]
    members = frozenset(name_of(nodes, node) for node in finding["core"])
    if members != wanted.members:
        said.append(f"{wanted.kind}: members are {sorted(members)}, not {sorted(wanted.members)}")
    blocked = {name_of(nodes, node) for node in finding["blocked"]}
    if not wanted.blocked <= blocked:
        said.append(f"{wanted.kind}: behind it are {sorted(blocked)}, not {sorted(wanted.blocked)}")
    waits = {
        name_of(nodes, link["waiter"]): (name_of(nodes, link["resource"]), link["wait_source"])
        for link in finding["evidence"]
    }
    if not _as_said(waits, wanted.waits, wanted.any_ring):
        said.append(f"{wanted.kind}: waits are {waits}, not {wanted.waits}")
    holds = {
        name_of(nodes, link["resource"]): (name_of(nodes, link["holder"]), link["hold_source"])
        for link in finding["evidence"]
        if link["hold_source"]
    }
    if not _as_said(holds, wanted.holds, wanted.any_ring):
        said.append(f"{wanted.kind}: holds are {holds}, not {wanted.holds}")
    return said


def _as_said(found: dict[str, tuple[str, str]], wanted: dict[str, tuple[str, str]], some: bool) -> bool:
    if not some:
        return found == wanted
    return all(
        who in wanted and whom in wanted[who][0].split() and source == wanted[who][1]
        for who, (whom, source) in found.items()
    ) and bool(found) == bool(wanted)


def name_of(nodes: dict[str, Any], node: str) -> str:
    """Its name, without the number of a task that was given none and without a port; of a nameless one its kind."""
    known = nodes.get(node)
    if known is None:
        return node
    if known["kind"] == "io":
        return known["name"].rpartition(":")[0] or "io"  # the port is another one each time
    return _PORT.sub("", known["name"].partition(" (Task-")[0]) or known["kind"]


def describe(finding: dict[str, Any]) -> str:
    members = ", ".join(sorted(name_of(finding["nodes"], node) for node in finding["core"]))
    return f"{finding['kind']}, {finding['level']}: {finding['title']}  [{members}]"
