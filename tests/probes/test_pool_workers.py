# SPDX-License-Identifier: Apache-2.0
"""Workers of a pool of processes that end as soon as they start, as looks a second apart see them.

Each story has a process of its own: where gRPC runs, as it does in a process that ran other tests, what is forked may
hang in its handlers and is then never replaced.
"""

from __future__ import annotations

import itertools
import multiprocessing
import sys
from collections.abc import Generator
from contextlib import contextmanager
from multiprocessing.pool import Pool

import pytest

from peeps_otel import semconv
from peeps_otel.probes.internals import sharing
from peeps_otel.probes.pool_workers import PoolWorkers
from tests.probes.program import SECOND
from tests.support.processes import alone
from tests.support.waiting import eventually

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are forked")

_FORK = multiprocessing.get_context("fork")


def _fail() -> None:
    raise SystemExit(1)


@contextmanager
def _pool(**arguments: object) -> Generator[Pool]:
    with _FORK.Pool(2, **arguments) as pool:  # pyright: ignore[reportArgumentType]  # as the caller types them
        yield pool


def _others_at_each_look() -> None:
    with _pool(initializer=_fail) as pool:
        result = pool.map_async(abs, [1, 2], 1)  # without a chunk size: as below
        workers, seconds = PoolWorkers(), itertools.count(100)
        seen = sharing.worker_numbers(pool)

        def replaced() -> bool:
            nonlocal seen
            before, seen = seen, sharing.worker_numbers(pool) or seen
            return not before & seen

        def said() -> dict[str, object]:
            eventually(replaced)
            return dict(workers.of(result, next(seconds) * SECOND))

        found = eventually(said)
        code = _fail.__code__
        assert found[semconv.POOL_INITIALIZER] == f"_fail at {code.co_filename}:{code.co_firstlineno}"
        assert isinstance(ended := found[semconv.POOL_WORKERS_ENDED], int)
        assert ended >= 4


def test_all_of_them_are_others_at_each_look() -> None:
    alone(_others_at_each_look)


def _live_or_replaced_by_design() -> None:
    with _pool() as pool, _pool(maxtasksperchild=1) as once:
        workers = PoolWorkers()
        for second in range(100, 110):
            assert workers.of(pool, second * SECOND) == {}
            assert workers.of(once, second * SECOND) == {}
            # A chunk size of its own: without one, CPython divides by the workers of that moment.
            once.map(abs, [1, 2], 1)


def test_nothing_is_said_of_workers_that_live_or_of_those_that_are_replaced_by_design() -> None:
    alone(_live_or_replaced_by_design)
