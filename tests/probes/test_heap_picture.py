# SPDX-License-Identifier: Apache-2.0
"""The picture of the heap: what it says of references is what the garbage collector says, and one serves a question."""

from __future__ import annotations

import gc

import pytest

from tests.probes import heap_picture_stories
from tests.support.processes import alone

pytestmark = pytest.mark.skipif(not hasattr(gc, "get_referents"), reason="CPython")


def test_referrers_and_what_nothing_explains() -> None:
    alone(heap_picture_stories.referrers_and_what_nothing_explains)


def test_a_question_walks_the_heap_once() -> None:
    """Who could end the wait, and which tasks are lost: both of one picture."""
    alone(heap_picture_stories.walks_the_heap_once)
