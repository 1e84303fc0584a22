# SPDX-License-Identifier: Apache-2.0
"""The first page somebody sees says what is stuck. Pictures go to artifacts/."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.e2e_support import ARTIFACTS, Collector
from tests.support.explorer import running_explorer
from tests.support.program import Program
from tests.support.waiting import PATIENCE_S

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(
    ("example", "words"),
    [
        ("lock-order-deadlock", ["DEADLOCK, PROVEN", "worker-a", "worker-b", "Lock db", "Lock cache"]),
        ("semaphore-starvation", ["SUSPECT", "permit_waiter_1", "Semaphore gate", "permit_holder"]),
        ("channel-full-stall", ["LIKELY", "producer", "Queue work_queue"]),
    ],
)
def test_the_verdict_is_the_first_thing_on_the_page(
    collector: Collector, watch: Callable[..., Program], browser: Any, tmp_path: Path, example: str, words: list[str]
) -> None:
    collector.verdict_on(watch(example))
    with (tmp_path / "explorer.txt").open("wb") as log, running_explorer(collector.api, log=log) as (address, _):
        context = browser.new_context(viewport={"width": 1400, "height": 1000})
        try:
            context.set_default_timeout(PATIENCE_S * 1000)
            page = context.new_page()
            errors: list[str] = []

            def failed(error: object) -> None:
                errors.append(str(error))

            page.on("pageerror", failed)
            page.goto(address)
            headline = page.locator(".pp-verdict h1")
            headline.wait_for()
            page.locator(".wg[data-ready] [data-id]").first.wait_for()
            ARTIFACTS.mkdir(exist_ok=True)
            page.screenshot(path=str(ARTIFACTS / f"e2e-{example}.png"))
            text = headline.inner_text()
            assert [word for word in words if word not in text] == [], text
            assert errors == []
        finally:
            context.close()
