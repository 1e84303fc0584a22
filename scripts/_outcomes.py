# SPDX-License-Identifier: Apache-2.0
"""What each test of a suite comes to, as one JSON line a test; with PEEPS_WATCHED=1 while we watch the process.

Run by `cpython-tests` in the Python under test: `python _outcomes.py unittest OUT MODULE…`, or as a pytest plugin
(`-p _outcomes`, the file in PEEPS_OUTCOMES).
"""

from __future__ import annotations

import importlib
import io
import json
import os
import resource
import sys
import traceback
import unittest
from typing import Any

_MEMORY_MOST = 8 << 30
_WATCHED = os.environ.get("PEEPS_WATCHED") == "1"


class Outcomes:
    """Appends to a file: `[test, "begun"]`, then `[test, outcome]`. What a crash leaves is a test that only began."""

    def __init__(self, path: str) -> None:
        self._file = open(path, "a", buffering=1, encoding="utf-8")  # noqa: SIM115  open as long as the run
        self._pid = os.getpid()

    def write(self, test: str, outcome: str) -> None:
        if os.getpid() == self._pid:  # a forked child may run on into our code
            self._file.write(json.dumps([test, outcome]) + "\n")


def watch() -> None:
    """Everything of ours in this process: the rewrites of asyncio, and the watcher at PEEPS_INTERVAL_MS.

    Raises where something was not installed: a comparison of nothing with nothing would always succeed.
    """
    import time

    import peeps_otel
    from peeps_otel import agent

    peeps_otel.init("watched-tests")
    running = agent.running()
    if running is None:
        raise SystemExit("peeps-otel did not start")
    for _ in range(200):
        if running.watcher.cpu_ns:
            return
        time.sleep(0.01)
    raise SystemExit("the watcher does not look")


def _name(test: Any) -> str:
    """Past the attributes of the test: some have an `id` of their own."""
    return unittest.TestCase.id(test) if isinstance(test, unittest.TestCase) else test.id()


class _Result(unittest.TestResult):
    def __init__(self, outcomes: Outcomes) -> None:
        super().__init__()
        self._outcomes = outcomes
        self._outcome: dict[str, str] = {}

    def startTest(self, test: unittest.TestCase) -> None:
        super().startTest(test)
        self._outcomes.write(_name(test), "begun")

    def stopTest(self, test: unittest.TestCase) -> None:
        super().stopTest(test)
        self._outcomes.write(_name(test), self._outcome.pop(_name(test), "passed"))

    def _is(self, test: Any, outcome: str, error: Any = None) -> None:
        name = _name(test)
        self._outcome[name] = outcome
        if error is not None:
            print(f"{name}: {outcome}\n{''.join(traceback.format_exception(*error))}", file=sys.stderr)
        if not isinstance(test, unittest.TestCase):  # a module or class that could not be set up
            self._outcomes.write(name, outcome)

    def addError(self, test: Any, err: Any) -> None:
        self._is(test, "error", err)

    def addFailure(self, test: Any, err: Any) -> None:
        self._is(test, "failed", err)

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
        if err is not None:
            self._is(test, "failed" if issubclass(err[0], test.failureException) else "error", err)

    def addSkip(self, test: Any, reason: str) -> None:
        self._is(test, "skipped")

    def addExpectedFailure(self, test: Any, err: Any) -> None:
        self._is(test, "expected failure")

    def addUnexpectedSuccess(self, test: Any) -> None:
        self._is(test, "unexpected success")


def _unittest(path: str, modules: list[str]) -> None:
    loader = unittest.TestLoader()
    suite = unittest.TestSuite()
    for module in modules:
        importlib.import_module(module)
        suite.addTests(loader.loadTestsFromName(module))
    if _WATCHED:
        watch()

    # Class and module fixtures print to the runner's stream only.
    def result(*_: Any, **__: Any) -> Any:
        return _Printable(Outcomes(path))

    unittest.TextTestRunner(io.StringIO(), resultclass=result).run(suite)


class _Printable(_Result):
    """What the text runner asks of a result."""

    separator1 = separator2 = ""
    dots = showAll = False
    collectedDurations: list[Any] = []  # noqa: RUF012  as unittest has it

    def printErrors(self) -> None:
        pass


# --- as a pytest plugin -----------------------------------------------------------------------------------------------

_outcomes: Outcomes | None = None


def pytest_configure() -> None:
    global _outcomes
    _outcomes = Outcomes(os.environ["PEEPS_OUTCOMES"])
    if _WATCHED:
        watch()


def pytest_runtest_logstart(nodeid: str) -> None:
    if _outcomes is not None:
        _outcomes.write(nodeid, "begun")


def pytest_runtest_logreport(report: Any) -> None:
    if _outcomes is None or (report.when != "call" and report.outcome == "passed"):
        return
    if report.when == "call" or report.outcome != "passed":
        outcome = "error" if report.when != "call" and report.outcome == "failed" else report.outcome
        _outcomes.write(report.nodeid, outcome)


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_MOST, _MEMORY_MOST))  # a test that runs wild would take all
    _unittest(sys.argv[2], sys.argv[3:])
    sys.stdout.flush()
