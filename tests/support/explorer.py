# SPDX-License-Identifier: Apache-2.0
"""The explorer as a real process, and a browser to look at it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import IO, Any

import pytest

from .network import free_port, healthy
from .processes import end, environment
from .waiting import eventually

_CHROMIUM_ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextlib.contextmanager
def running_explorer(
    api: str, port: int | None = None, log: IO[bytes] | int = subprocess.DEVNULL, **settings: str
) -> Generator[tuple[str, subprocess.Popen[bytes]]]:
    """Address and process of an explorer that reads the collector at `api`; it answers, or has ended. `log`: for all it
    writes."""
    address = f"127.0.0.1:{port or free_port()}"
    process = subprocess.Popen(
        [sys.executable, "-m", "peeps_dashboard"],
        env=environment(**({"PEEPS_API": api, "PEEPS_HTTP": address} | settings)),
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    try:
        eventually(
            lambda: process.poll() is not None or healthy(f"http://{address}/_stcore/health"),
            "the explorer answers",
            every=0.1,
        )
        yield f"http://{address}", process
    finally:
        end(process)


@contextlib.contextmanager
def chromium() -> Generator[Any]:
    """A browser. Skips the test where there is none, and fails it in CI."""
    executable = os.environ.get("PEEPS_CHROMIUM", "/usr/bin/chromium")
    if not Path(executable).exists():
        message = f"no Chromium at {executable}; set PEEPS_CHROMIUM"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=executable, args=_CHROMIUM_ARGUMENTS)
        yield made
        made.close()
