# SPDX-License-Identifier: Apache-2.0
"""What the plugin does round each test: a last look before its time is over, and the verdict in its report."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from .last_look import LastLook
from .options import Settings
from .time_limit import TimeLimit

if TYPE_CHECKING:
    from ..local.picture import Picture
    from .leftovers import Leftovers
    from .session_watch import SessionWatch

_SECTION = "peeps: who waits for whom"
_TEARDOWN_S = 10.0  # of a test that has run out of time
_GOES_ON = "peeps: the test has run out of time, and does not end"
_TIMEOUTS = frozenset({"TimeoutError", "TooSlowError", "TimeoutExpired"})
"""Exceptions by which a test's own limit ends it: asyncio's and AnyIO's, Trio's."""


class WatchedTests:
    """The hooks of one session. Everything on the main thread."""

    def __init__(self, settings: Settings, config: pytest.Config) -> None:
        self._settings = settings
        self._config = config
        self._limit: TimeLimit | None = None
        self._own: LastLook | None = None
        self._theirs: LastLook | None = None
        self._after: LastLook | None = None
        self._watch: SessionWatch | None = None
        self._leftovers: Leftovers | None = None

    def pytest_sessionstart(self) -> None:
        if self._settings.watch or self._settings.strict:
            from .session_watch import SessionWatch

            self._watch = SessionWatch(record=self._settings.strict)
        if self._settings.strict and self._watch is not None:
            from .leftovers import Leftovers

            self._leftovers = Leftovers(self._watch)

    def pytest_sessionfinish(self) -> None:
        if self._watch is not None:
            self._watch.stop()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self) -> Generator[None, object, object]:
        if self._settings.timeout_s:
            self._limit = TimeLimit(self._settings.timeout_s)
            self._own = LastLook(self._settings.timeout_s, self._limit.strike, outlived=self._say_that_it_goes_on)
            self._own.start()
        if self._watch is not None:
            self._watch.test_begins()
        try:
            return (yield)
        finally:
            self._cancel()

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_timeout_set_timer(self, item: pytest.Item, settings: Any) -> None:
        """pytest-timeout begins to count."""
        if self._theirs is not None:
            self._theirs.cancel()
        ends_the_run = settings.method == "thread"
        self._theirs = LastLook(
            settings.timeout,
            looked=self._say if ends_the_run else None,
            outlived=None if ends_the_run else self._say_that_it_goes_on,
        )
        self._theirs.start()

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_timeout_cancel_timer(self, item: pytest.Item) -> None:
        if self._theirs is not None:
            self._theirs.cancel()

    def pytest_enter_pdb(self) -> None:
        """Somebody takes his time."""
        self._cancel()
        self._limit = None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self) -> Generator[None, object, object]:
        if self._leftovers is not None:
            self._leftovers.before_setup()
        with _Armed(self._limit):
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self) -> Iterator[None]:
        if self._leftovers is not None:
            self._leftovers.before_call()
        with _Armed(self._limit):
            yield
        if self._leftovers is not None:
            self._leftovers.after_call()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self) -> Iterator[None]:
        with _Armed(self._limit):
            yield
        if self._leftovers is not None:
            self._leftovers.after_teardown()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if call.excinfo is not None and report.failed:
            text = self._verdict(call.excinfo.value)
            if text:
                _add(report, text)
            if _is_timeout(call.excinfo.value) and call.when != "teardown":
                # pytest-timeout does not count any more, and what the test has left may hang its teardown.
                self._after = LastLook(_TEARDOWN_S, looked=self._say_that_it_goes_on)
                self._after.start()
        return report

    def _verdict(self, error: BaseException) -> str:
        """What was seen while the test still hung; empty where it failed for another reason."""
        if _is_timeout(error):
            looks = [one for one in (self._own, self._theirs) if one is not None]
            seen = next((one.picture for one in looks if one.picture is not None), None)
            if seen is not None:
                return _told(seen)
            return next((f"no look could be taken: {one.problem}" for one in looks if one.problem), "")
        if self._watch is not None and type(error).__name__ in _TIMEOUTS:
            return self._watch.last_verdict
        return ""

    def _say(self, seen: Picture) -> None:
        """On our thread: the whole run is about to be ended, with everything that was captured."""
        reporter: Any = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.write_sep("-", _SECTION)
            reporter.write_line(_told(seen))

    def _say_that_it_goes_on(self, seen: Picture) -> None:
        """On our thread: the failure of the test has been raised, and its own cleaning up does not end. There will be
        no report."""
        reporter: Any = self._config.pluginmanager.get_plugin("terminalreporter")
        capture: Any = self._config.pluginmanager.get_plugin("capturemanager")
        if reporter is None:
            return
        # What is captured is shown with the report, which does not come.
        with contextlib.nullcontext() if capture is None else capture.global_and_fixture_disabled():
            reporter.write_sep("-", _GOES_ON)
            reporter.write_line(_told(seen))
            reporter.flush()

    def _cancel(self) -> None:
        for look in (self._own, self._theirs, self._after):
            if look is not None:
                look.cancel()
        self._own = self._theirs = self._after = None


def _is_timeout(error: BaseException) -> bool:
    return isinstance(error, pytest.fail.Exception) and str(error).startswith("Timeout")


def _told(seen: Picture) -> str:
    """A test that has run out of time is no calm program."""
    told = seen.account()
    return told if seen.stuck else told.replace("Nothing is stuck", "Nothing is known to be stuck", 1)


class _Armed:
    def __init__(self, limit: TimeLimit | None) -> None:
        self._limit = limit

    def __enter__(self) -> None:
        if self._limit is not None:
            self._limit.arm()

    def __exit__(self, *_: object) -> None:
        if self._limit is not None:
            self._limit.disarm()


def _add(report: Any, text: str) -> None:
    """To the failure itself, so that it is shown under any `--show-capture`, in JUnit's file and by xdist."""
    add = getattr(report.longrepr, "addsection", None)
    if add is not None:
        add(_SECTION, text)
    else:
        report.sections.append((_SECTION, text))
