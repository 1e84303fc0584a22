# SPDX-License-Identifier: Apache-2.0
"""The fixture `no_deadlock_risk`: a test fails where asyncio locks are taken in opposite orders, even though no two
tasks met in time."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest


@pytest.fixture
def no_deadlock_risk() -> Iterator[None]:
    """Records the order in which tasks take asyncio's locks during the test, and fails it where two orders could
    deadlock. Ask for it before fixtures that make locks; threads' locks are not recorded."""
    from ..local.picture import Picture
    from ..probes.patches.lock_order import LockOrderRecorder
    from ..watcher.order_rule import OrderRule

    recorder = LockOrderRecorder()
    rule = OrderRule([], recorder.take)
    recorder.install()
    try:
        yield
        rule.hear()
    finally:
        recorder.uninstall()
    risks = rule.orders.findings
    if risks:
        told = Picture(0, "this test", "", time.time_ns(), {}, [], risks).text
        pytest.fail(f"these locks may deadlock another time:\n{told}", pytrace=False)
