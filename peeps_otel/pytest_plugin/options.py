# SPDX-License-Identifier: Apache-2.0
"""The options of the plugin, on the command line and in the configuration file."""

from __future__ import annotations

from typing import NamedTuple

import pytest


class Settings(NamedTuple):
    """`timeout_s`: a test that takes longer fails, 0: no limit of ours. `watch`: look at tests while they run.
    `strict`: a test must leave nothing waiting."""

    timeout_s: float
    watch: bool
    strict: bool


def add_options(parser: pytest.Parser) -> None:
    group = parser.getgroup("peeps", "peeps: who waits for whom in a test that hangs")
    group.addoption(
        "--peeps-timeout",
        metavar="SECONDS",
        help="a test that takes longer fails, and its report says who waits for whom (0: no limit)",
    )
    group.addoption(
        "--peeps",
        action="store_true",
        default=None,
        help="look at tests while they run, so that one that fails by a TimeoutError of its own code says who waited",
    )
    group.addoption(
        "--peeps-strict",
        action="store_true",
        default=None,
        help="a test that leaves tasks or threads waiting fails",
    )
    parser.addini("peeps_timeout", "the same as --peeps-timeout", default="0")
    parser.addini("peeps", "the same as --peeps", type="bool", default=False)
    parser.addini("peeps_strict", "the same as --peeps-strict", type="bool", default=False)


def settings(config: pytest.Config) -> Settings:
    """Raises pytest.UsageError, which names the option."""
    given, written = config.getoption("peeps_timeout"), config.getini("peeps_timeout")
    name, text = ("--peeps-timeout", given) if given is not None else ("peeps_timeout", written)
    try:
        seconds = float(str(text or "0"))
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < 1e9:
        raise pytest.UsageError(f"{name}={text!r} must be a number of seconds, 0 for no limit")
    watch, strict = config.getoption("peeps"), config.getoption("peeps_strict")
    return Settings(
        seconds,
        bool(config.getini("peeps") if watch is None else watch),
        bool(config.getini("peeps_strict") if strict is None else strict),
    )
