# SPDX-License-Identifier: Apache-2.0
"""A fake collector for every test that wants one, the explorer as a real process, and a browser."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from fake_api import FakeApi

PATIENCE_S = 60
CHROMIUM_ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def eventually(check: Callable[[], object], what: str) -> None:
    """Waits until `check` is true; the bound is generous because the machine may be busy."""
    end = time.monotonic() + PATIENCE_S
    while not check():
        assert time.monotonic() < end, f"did not happen: {what}"
        time.sleep(0.1)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeApi]:
    server = FakeApi()
    monkeypatch.setenv("PEEPS_API", server.address)
    yield server
    server.close()


@contextlib.contextmanager
def explorer_process(port: int, **environment: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "peeps_dashboard"],
        env=os.environ | {"PEEPS_HTTP": f"127.0.0.1:{port}"} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        eventually(lambda: process.poll() is not None or _healthy(port), "the explorer answers")
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _healthy(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False


@pytest.fixture(scope="module")
def shared_api() -> Iterator[FakeApi]:
    server = FakeApi("mixed")
    yield server
    server.close()


@pytest.fixture(scope="module")
def explorer(shared_api: FakeApi) -> Iterator[str]:
    """The address of a running explorer that reads `shared_api`."""
    port = free_port()
    with explorer_process(port, PEEPS_API=shared_api.address):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="needs the Python package playwright")
    chromium = os.environ.get("PEEPS_CHROMIUM", "/usr/bin/chromium")
    if not Path(chromium).exists():
        pytest.skip(f"no Chromium at {chromium}; set PEEPS_CHROMIUM")
    with playwright.sync_playwright() as p:
        made = p.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        yield made
        made.close()
