# SPDX-License-Identifier: Apache-2.0
"""Futures as nodes: one id each, gone when done, and who resolves them."""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import gc
import time

import pytest

from peeps_otel import semconv
from peeps_otel.model import Edge, Node, NodeKind, Providers
from peeps_otel.probes.futures import Futures, Worked, is_done
from peeps_otel.probes.identity import NodeIds
from peeps_otel.probes.internals import pool as pool_internals
from peeps_otel.probes.internals.asyncio_core import linked_futures


def _nodes(futures: Futures, worked: Worked) -> list[tuple[Node, tuple[Edge, ...]]]:
    return list(futures.nodes(futures.pending(), lambda _: worked))


def test_a_future_is_one_node_until_it_is_done() -> None:
    futures = Futures(NodeIds())
    promised: concurrent.futures.Future[int] = concurrent.futures.Future()
    first = futures.wanted(promised, time.time_ns(), "app.py:1")
    assert first is not None
    assert first == futures.wanted(promised, time.time_ns(), "app.py:2")
    ((node, edges),) = _nodes(futures, Worked())
    assert (node.id, node.kind, node.name, node.source) == (
        first,
        NodeKind.FUTURE,
        "concurrent.futures.Future",
        "app.py:1",
    )
    assert edges == ()
    assert node.providers is Providers.OPEN
    promised.set_result(1)
    assert _nodes(futures, Worked()) == []


def test_who_resolves_it_and_the_same_objects_while_nothing_changes() -> None:
    futures = Futures(NodeIds())
    promised: concurrent.futures.Future[int] = concurrent.futures.Future()
    futures.wanted(promised, time.time_ns(), "app.py:1")
    ((node, edges),) = _nodes(futures, Worked(("executor:1",), "load", 4))
    assert (node.name, node.providers) == ("load", Providers.CLOSED)
    assert node.attributes[semconv.EXECUTOR_POSITION] == 4
    assert [edge.dst for edge in edges] == ["executor:1"]
    ((again, same),) = _nodes(futures, Worked(("executor:1",), "load", 4))
    assert again is node
    assert same is edges
    ((running, moved),) = _nodes(futures, Worked(("thread:1",), "load"))
    assert semconv.EXECUTOR_POSITION not in running.attributes
    assert [edge.dst for edge in moved] == ["thread:1"]
    assert running.id == node.id


def test_the_worker_that_the_waiter_knows() -> None:
    futures = Futures(NodeIds())
    promised: concurrent.futures.Future[int] = concurrent.futures.Future()
    futures.wanted(promised, time.time_ns(), "app.py:1", "thread:7")
    ((node, edges),) = _nodes(futures, Worked())
    assert node.providers is Providers.CLOSED
    assert [edge.dst for edge in edges] == ["thread:7"]


def test_a_future_is_not_kept_alive() -> None:
    futures = Futures(NodeIds())
    promised: concurrent.futures.Future[int] = concurrent.futures.Future()
    futures.wanted(promised, time.time_ns(), "app.py:1")
    del promised
    gc.collect()
    assert futures.pending() == []


def test_an_instrumentation_s_function_has_the_name_of_what_it_is_put_around() -> None:
    """As opentelemetry-instrumentation-threading makes one for each `submit()`, without a `__wrapped__`."""

    def work() -> None: ...

    def around(function: object, module: str) -> object:
        def wrapped() -> object:
            return function

        wrapped.__module__ = module
        return wrapped

    of_threading = "opentelemetry.instrumentation.threading"
    assert pool_internals.function_name(around(work, of_threading)) == work.__qualname__
    assert pool_internals.function_name(around(functools.partial(work), of_threading)) == work.__qualname__
    assert pool_internals.function_name(around(work, __name__)).endswith("wrapped")
    assert pool_internals.function_name(around(1, of_threading)).endswith("wrapped")


def test_what_is_done() -> None:
    class Own(concurrent.futures.Future[int]):
        def done(self) -> bool:
            raise AssertionError("code of the program")

    own = Own()
    assert not is_done(own)
    own.set_result(1)
    assert is_done(own)

    async def main() -> None:
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        assert not is_done(future)
        future.cancel()
        assert is_done(future)

    asyncio.run(main())


@pytest.mark.parametrize("count", [0, 1, 5, 300])
def test_the_queue_of_a_pool_is_read_in_order_and_left_as_it_is(count: int) -> None:
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        gate: concurrent.futures.Future[None] = concurrent.futures.Future()
        for _ in range(40):
            pool.submit(int)  # so that its queue has been used
        pool.submit(gate.result)
        futures = [pool.submit(int) for _ in range(count)]
        while pool._work_queue.qsize() > count:
            time.sleep(0.001)
        found = [item.future for item in pool_internals.queued(pool)]
        assert found == futures
        assert pool_internals.state(pool).queued == count
        gate.set_result(None)
        assert [future.result(10) for future in futures] == [0] * count


def test_what_resolves_a_future_is_not_what_it_resolves() -> None:
    async def main() -> None:
        shared: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        shields = [asyncio.shield(shared), asyncio.shield(shared)]
        assert [linked_futures(one) for one in shields] == [[shared], [shared]]
        assert linked_futures(shared) == []
        computed: concurrent.futures.Future[int] = concurrent.futures.Future()
        assert linked_futures(asyncio.wrap_future(computed)) == [computed]
        asked = asyncio.run_coroutine_threadsafe(asyncio.sleep(0), asyncio.get_running_loop())
        await asyncio.sleep(0)
        (task,) = asyncio.all_tasks() - {asyncio.current_task()}
        assert linked_futures(task) == []
        await asyncio.wrap_future(asked)

    asyncio.run(main())
