# SPDX-License-Identifier: Apache-2.0
"""A holder is followed to what it is really in: through children, futures, threads, pools and requests."""

from __future__ import annotations

from peeps_otel.model import Edge, EdgeKind, Frame, NodeKind, Providers
from tests.diagnosis.world import SECOND, START, World, brief, diagnose

_LONG = 60 * SECOND
_DB = (Frame("insert", "/srv/shop/app/db.py", 15, ""),)


def _held() -> World:
    """`handler` waits for a lock that `upload` has."""
    world = World()
    world.lock("lock", "task:upload")
    world.task("handler", "lock:lock")
    return world


def _in_a_thread(world: World, name: str) -> None:
    world.resource(NodeKind.FUTURE, name, "thread:asyncio_0")


def test_a_call_in_a_thread() -> None:
    world = _held()
    world.task("upload", "future:insert", operation="executor")
    _in_a_thread(world, "insert")
    world.thread("asyncio_0", state="blocked", stack=_DB, peeps__thread__call="sqlite3.execute")
    said = (
        "handler waits for Lock lock, held by upload, which waits for future insert in thread asyncio_0, "
        "which is in sqlite3.execute at app/db.py:15"
    )
    assert brief(diagnose(world, after=10 * SECOND)) == [("held_across_wait", "SLOW", said)]
    (finding,) = diagnose(world, after=_LONG)
    assert (finding.level, finding.title, finding.look_at) == ("SUSPECT", said, "/srv/shop/app/db.py:15")
    assert [(step.waiter, step.resource, step.holder) for step in finding.evidence] == [
        ("task:handler", "lock:lock", "task:upload"),
        ("task:upload", "future:insert", "thread:asyncio_0"),
    ]


def test_a_thread_that_computes_makes_it_slow_alone() -> None:
    world = _held()
    world.task("upload", "future:parse", operation="executor")
    _in_a_thread(world, "parse")
    world.thread("asyncio_0", state="running", stack=_DB)
    ((kind, level, title),) = brief(diagnose(world, after=_LONG))
    assert (kind, level) == ("held_across_wait", "SLOW")
    assert title.endswith("in thread asyncio_0, which runs insert at app/db.py:15")


def test_children_of_a_gather_down_to_a_socket() -> None:
    world = _held()
    world.task("upload", "task:part", "task:other", operation="gather")
    world.task("part", "io:socket", operation="stream.read", since=START - SECOND)
    world.resource(NodeKind.IO, "10.0.0.1:443", providers=Providers.OPEN)
    world.nodes["io:socket"] = world.nodes.pop("io:10.0.0.1:443")
    world.task("other", deadline=START + 3600 * SECOND, operation="sleep")
    ((kind, level, title),) = brief(diagnose(world, after=_LONG))
    assert (kind, level) == ("held_across_wait", "SUSPECT")
    assert title.startswith("handler waits for Lock lock, held by upload, which waits for the end of part, which waits")


def test_work_that_is_queued_behind_a_busy_worker() -> None:
    world = _held()
    world.task("upload", "future:insert", operation="executor")
    world.resource(NodeKind.FUTURE, "insert", "executor:pool")
    world.resource(NodeKind.EXECUTOR, "pool", "thread:pool_0", providers=Providers.OPEN)
    world.thread("pool_0", state="blocked", stack=_DB)
    titles = {kind: title for kind, _, title in brief(diagnose(world, after=_LONG))}
    assert titles["held_across_wait"] == (
        "handler waits for Lock lock, held by upload, which waits for future insert, queued behind thread pool_0, "
        "which is in a blocking call at app/db.py:15"
    )


def test_another_process_at_work_is_never_more_than_slow() -> None:
    world = _held()
    world.task("upload", "command:ffmpeg", operation="subprocess.wait")
    world.resource(NodeKind.COMMAND, "ffmpeg", providers=Providers.OPEN)
    assert [level for _, level, _ in brief(diagnose(world, after=_LONG))] == ["SLOW"]


def test_the_answer_of_another_service() -> None:
    world = _held()
    world.task("upload", "request:store", operation="rpc")
    world.resource(NodeKind.REQUEST, "store", providers=Providers.OPEN)
    world.resource(NodeKind.RESPONSE, "store", providers=Providers.OPEN)
    world.task("serve", "io:disk", operation="stream.read")
    world.edges.append(Edge(EdgeKind.RPC_LINK, "request:store", "response:store"))
    world.edges.append(Edge(EdgeKind.HANDLED_BY, "response:store", "task:serve"))
    ((_, level, title),) = brief(diagnose(world, after=_LONG))
    assert level == "SUSPECT"
    assert "answered by serve, which waits" in title


def test_of_two_locks_the_inner_one_is_told() -> None:
    world = _held()
    world.task("upload", "lock:inner")
    world.lock("inner", "task:reader")
    world.task("reader", "io:socket", operation="stream.read")
    (finding,) = diagnose(world, after=_LONG)
    assert finding.title.startswith("upload waits for Lock inner, held by reader, which")
    assert finding.blocked == ["task:handler"]


def test_a_thread_that_has_a_lock_in_a_call() -> None:
    world = World()
    world.lock("lock", "thread:writer")
    world.thread("writer", state="blocked", stack=_DB, peeps__thread__call="sqlite3.execute")
    world.thread("reader", "lock:lock")
    assert brief(diagnose(world, after=10 * SECOND)) == [
        (
            "held_across_wait",
            "SLOW",
            "thread reader waits for Lock lock, held by thread writer, which is in sqlite3.execute at app/db.py:15",
        )
    ]


def test_a_bare_future_has_no_executor_to_be_advised_about() -> None:
    world = World()
    world.resource(NodeKind.RX, "inbox", providers=Providers.OPEN, peeps__could_end__asked=START)
    world.resource(NodeKind.FUTURE, "reply", providers=Providers.OPEN, peeps__could_end__asked=START)
    world.task("worker", "rx:inbox", operation="queue.get")
    world.task("client", "future:reply", operation="future")
    world.edges.append(Edge(EdgeKind.COULD_END, "rx:inbox", "task:client"))
    world.edges.append(Edge(EdgeKind.COULD_END, "future:reply", "task:worker"))
    (finding,) = diagnose(world, after=_LONG)
    assert finding.kind == "deadlock"
    assert finding.advice == "Only cancelling one of these tasks can release the ring."


def test_the_lock_of_an_import_is_not_spoken_of_as_a_lock() -> None:
    world = World()
    world.resource(NodeKind.LOCK, "lock", "thread:worker", peeps__resource__type="importlib.import")
    world.thread("handler", "lock:lock")
    world.thread("worker", state="blocked", stack=_DB, peeps__thread__call="socket.recv")
    (finding,) = diagnose(world, after=_LONG)
    assert (finding.title, finding.advice) == (
        "thread handler waits for the import of lock, held by thread worker, which is in socket.recv at app/db.py:15",
        "Move the slow part out of the module's top level into a function, and call that once it is imported.",
    )
