# SPDX-License-Identifier: Apache-2.0
"""Looking for garbage stops every thread, so it is done seldom and when nobody waits."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from peeps_collector.garbage import Garbage


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()


def test_all_of_it_is_collected_when_idle_and_at_last_when_busy() -> None:
    garbage = Garbage(now_s=0.0)
    times = ((599.0, True), (601.0, False), (602.0, True), (1000.0, True), (4000.0, False), (4300.0, False))
    said = [(now_s, idle) for now_s, idle in times if garbage.collect_if_due(now_s, idle)]
    assert said == [(602.0, True), (4300.0, False)]


def test_many_new_objects_bring_no_look_at_the_old_ones() -> None:
    Garbage(0.0).postpone()
    before = gc.get_stats()[2]["collections"]
    kept: list[list[int]] = [[number] for number in range(300_000)]
    assert (gc.get_stats()[2]["collections"], len(kept)) == (before, 300_000)
