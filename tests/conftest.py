# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.examples import register
from tests.support.leftovers import no_process_left

register()


@pytest.fixture(autouse=True)
def _no_process_left() -> Iterator[None]:
    with no_process_left():
        yield
