# SPDX-License-Identifier: Apache-2.0
"""What is reported of a protocol becomes part of the wait graph, and of verdicts, but proves nothing by itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from opentelemetry.trace import SpanKind

from peeps_otel import semconv
from peeps_otel.model import Confidence, EdgeKind, FindingKind, Level, NodeKind, Providers
from peeps_otel.providers import Channel, Completion, Connection, Request, RpcReport, Sensitive
from tests.providers.provider_world import Look, World, a_world, provided

T0 = 1_795_000_000_000_000_000


class Wire:
    """A transport: whoever calls waits for a future that only a peer completes."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.channels: list[Channel] = []
        self.connections: list[Connection] = []

    def report(self) -> RpcReport:
        return RpcReport(connections=self.connections, requests=self.requests, channels=self.channels)

    async def call(self, method: str, **more: Any) -> None:
        waits: dict[str, Any] = {"task": asyncio.current_task(), "started_ns": T0} | more
        self.requests.append(Request(id=str(len(self.requests)), method=method, direction="out", **waits))
        await answer()

    async def handle(self, method: str, work: Awaitable[Any], **more: Any) -> None:
        runs: dict[str, Any] = {"task": asyncio.current_task(), "started_ns": T0} | more
        self.requests.append(Request(id=str(len(self.requests)), method=method, direction="in", **runs))
        await work


async def answer() -> None:
    await asyncio.get_running_loop().create_future()


Use = Callable[[World, Wire], list[Awaitable[None]]]


def looked(use: Use, then: Callable[[World], Any]) -> Any:
    wire = Wire()

    async def main() -> Any:
        with a_world() as world, provided(wire.report):
            tasks = [asyncio.ensure_future(one) for one in use(world, wire)]
            await asyncio.sleep(0.05)
            found = then(world)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            return found

    return asyncio.run(main())


def look_at(use: Use) -> Look:
    return looked(use, lambda world: world.look())


def test_a_connection_says_what_its_owner_knows_and_nothing_else() -> None:
    def use(_world: World, wire: Wire) -> list[Awaitable[None]]:
        wire.connections.append(
            Connection(
                id="c-1",
                local="shop",
                peer="inventory",
                transport="tcp",
                state="open",
                opened_ns=T0,
                limits={"max_payload": 65536},
                bytes_sent=0,
                recent=[Completion(method="Take", direction="out", duration_ns=12_000_000)],
                health={"sweep_hits": 3},
                attributes={"tenant": Sensitive("a")},
            )
        )
        return []

    (node,) = look_at(use).of(NodeKind.CONNECTION)
    assert (node.name, node.state, node.created_at, node.providers) == ("shop - inventory", "open", T0, Providers.OPEN)
    assert node.source.startswith(__file__.rpartition("/")[0])  # where it was registered
    assert node.attributes == {
        semconv.PROVIDER_NAME: "wire",
        semconv.CONNECTION_ID: "c-1",
        semconv.CONNECTION_LOCAL: "shop",
        semconv.CONNECTION_PEER: "inventory",
        semconv.CONNECTION_TRANSPORT: "tcp",
        semconv.CONNECTION_LIMITS: '{"max_payload": 65536}',
        semconv.CONNECTION_BYTES_SENT: 0,
        semconv.CONNECTION_RECENT: "Take out 12 ms",
        semconv.CONNECTION_HEALTH: '{"sweep_hits": 3}',
        semconv.PROVIDER_ATTRIBUTES: '{"tenant": "(withheld)"}',
    }


def test_who_waits_for_a_request_needs_it_and_is_bounded_by_its_deadline() -> None:
    def use(_world: World, wire: Wire) -> list[Awaitable[None]]:
        wire.connections.append(Connection(id="c"))

        async def order() -> None:
            await wire.call("Take", connection="c", state="sent", arguments="item=17", deadline_ns=T0 + 5)

        return [order()]

    look = look_at(use)
    (request,), (connection,) = look.of(NodeKind.REQUEST), look.of(NodeKind.CONNECTION)
    assert (request.name, request.state, request.created_at, request.providers) == (
        "Take",
        "pending",
        T0,
        Providers.ESTIMATED,
    )
    assert request.source.startswith(f"{__file__}:")
    assert request.attributes == {
        semconv.PROVIDER_NAME: "wire",
        semconv.METHOD: "Take",
        semconv.RPC_ID: "0",
        semconv.RPC_CONNECTION: "c",
        semconv.RPC_STAGE: "sent",
        semconv.RPC_ARGUMENTS: "item=17",
        semconv.RPC_DEADLINE: T0 + 5,
    }
    task = look.task("order")
    (need,) = [edge for edge in look.edges(task.id) if edge.kind is EdgeKind.NEEDS]
    assert (need.dst, need.confidence) == (request.id, Confidence.INFERRED)
    assert task.wait is not None
    assert task.wait.deadline_ns == T0 + 5
    (on,) = look.edges(request.id)
    assert (on.kind, on.dst) == (EdgeKind.TOUCHES, connection.id)


def test_who_waits_for_a_lock_with_a_request_in_flight_waits_for_the_lock() -> None:
    def use(_world: World, wire: Wire) -> list[Awaitable[None]]:
        async def order() -> None:
            lock = asyncio.Lock()
            await lock.acquire()
            wire.requests.append(Request(id="1", method="Take", direction="out", task=asyncio.current_task()))
            await lock.acquire()

        return [order()]

    look = look_at(use)
    assert [edge.dst for edge in look.edges(look.task("order").id)] == [look.of(NodeKind.LOCK)[0].id]


def test_the_two_ends_of_a_call_in_one_process_are_linked_and_the_handler_is_named() -> None:
    def use(_world: World, wire: Wire) -> list[Awaitable[None]]:
        async def order() -> None:
            await wire.call("Take", correlation="call-7")

        async def take() -> None:
            await wire.handle("Take", answer(), correlation="call-7")

        return [order(), take()]

    look = look_at(use)
    (request,), (response,) = look.of(NodeKind.REQUEST), look.of(NodeKind.RESPONSE)
    assert [(edge.kind, edge.dst) for edge in look.edges(request.id)] == [(EdgeKind.RPC_LINK, response.id)]
    (handled,) = look.edges(response.id)
    assert (handled.kind, handled.dst, handled.confidence) == (
        EdgeKind.HANDLED_BY,
        look.task("take").id,
        Confidence.INFERRED,
    )


def test_a_request_that_has_a_span_is_one_node_with_what_both_say() -> None:
    def use(world: World, wire: Wire) -> list[Awaitable[None]]:
        async def order() -> None:
            with world.tracer.start_as_current_span("Take", kind=SpanKind.CLIENT) as span:
                context: Any = span.get_span_context()
                await wire.call("Take", span=context, state="queued", deadline_ns=T0 + 5)

        return [order()]

    first, second = looked(use, lambda world: (world.look(), world.look()))
    (request,) = first.of(NodeKind.REQUEST)
    assert request.attributes[semconv.RPC_STAGE] == "queued"
    assert request.attributes[semconv.RPC_SCOPE] == "shop.rpc"
    task = first.task("order")
    assert [edge.dst for edge in first.edges(task.id)] == [request.id]
    assert task.wait.deadline_ns == T0 + 5
    assert second.of(NodeKind.REQUEST)[0] is request  # nothing has changed
    assert second.task("order") is task


def test_what_has_not_changed_is_the_same_object_at_the_next_look() -> None:
    def use(_world: World, wire: Wire) -> list[Awaitable[None]]:
        wire.connections.append(Connection(id="c"))

        async def order() -> None:
            await wire.call("Take", connection="c", correlation="7")

        async def take() -> None:
            me = asyncio.current_task()
            wire.channels.append(Channel(id="1", direction="in", correlation="s", users=[me]))
            wire.channels.append(Channel(id="1", direction="out", correlation="s", waiting=[me], credit=0))
            await wire.handle("Take", answer(), correlation="7")

        return [order(), take()]

    def changed(world: World) -> list[str]:
        before, now = world.look(), world.look()
        assert len(now.observation.nodes) >= 6
        ids = [one for one in now.observation.nodes if one.partition(":")[0] not in ("thread",)]
        ids = [one for one in ids if "main" not in now.observation.nodes[one].name]
        nodes = [one for one in ids if before.observation.nodes[one] is not now.observation.nodes[one]]
        return nodes + [one for one in ids if before.observation.edges.get(one) is not now.observation.edges.get(one)]

    assert looked(use, changed) == []


def test_a_young_request_is_not_shown() -> None:
    wire = Wire()
    wire.requests.append(Request(id="1", method="Take", direction="out", started_ns=time.time_ns()))
    with a_world() as world, provided(wire.report):
        world.probe._young_ns = 60_000_000_000  # pyright: ignore[reportPrivateUsage]  # no waiting for a minute
        assert world.look().of(NodeKind.REQUEST) == []


def test_two_that_call_each_other_through_a_reported_protocol_are_a_likely_deadlock_and_never_proven() -> None:
    def use(_world: World, wire: Wire) -> list[Awaitable[None]]:
        async def shop() -> None:
            await wire.handle("Order", wire.call("Take", correlation="b"), correlation="a")

        async def stock() -> None:
            await wire.handle("Take", wire.call("Order", correlation="a"), correlation="b")

        return [shop(), stock()]

    findings = looked(use, lambda world: world.look_late(5.0))
    assert [(one.kind, one.level) for one in findings] == [(FindingKind.DEADLOCK, Level.LIKELY)]
    assert set(findings[0].core) >= {edge.waiter for edge in findings[0].evidence}


def test_a_ring_of_calls_of_which_one_has_a_deadline_is_none() -> None:
    def use(_world: World, wire: Wire) -> list[Awaitable[None]]:
        later_ns = time.time_ns() + 3_600_000_000_000

        async def shop() -> None:
            await wire.handle("Order", wire.call("Take", correlation="b"), correlation="a")

        async def stock() -> None:
            call = wire.call("Order", correlation="a", deadline_ns=later_ns)
            await wire.handle("Take", call, correlation="b")

        return [shop(), stock()]

    assert [one for one in looked(use, lambda world: world.look_late(5.0)) if one.kind is FindingKind.DEADLOCK] == []


def test_a_sender_without_credit_is_told_with_who_would_have_to_take_from_it() -> None:
    def use(_world: World, wire: Wire) -> list[Awaitable[None]]:
        async def produce() -> None:
            waits = [asyncio.current_task()]
            wire.channels.append(
                Channel(
                    id="3", direction="out", name="frames", credit=0, capacity=65536, correlation="s", waiting=waits
                )
            )
            await answer()

        return [produce()]

    look, findings = looked(use, lambda world: (world.look(), world.look_late(60.0)))
    (tx,) = look.of(NodeKind.TX)
    assert (tx.attributes[semconv.CHANNEL_CREDIT], tx.attributes[semconv.CHANNEL_CREDIT_MOST]) == (0, 65536)
    task = look.task("produce")
    assert task.wait.operation == "channel.send"
    assert [(edge.kind, edge.dst) for edge in look.edges(task.id)] == [(EdgeKind.NEEDS, tx.id)]
    (finding,) = [one for one in findings if one.kind is FindingKind.CHANNEL_FULL]
    assert finding.level is Level.SUSPECT
    assert "frames" in finding.title


def test_a_sender_and_a_receiver_that_wait_for_each_other() -> None:
    """The receiver has the other end in hand, and waits for what the sender is to do first."""

    def use(_world: World, wire: Wire) -> list[Awaitable[None]]:
        done = asyncio.Lock()

        async def produce() -> None:
            async with done:
                waits = [asyncio.current_task()]
                wire.channels.append(Channel(id="3", direction="out", credit=0, correlation="s", waiting=waits))
                await answer()

        async def consume() -> None:
            wire.channels.append(Channel(id="3", direction="in", correlation="s", users=[asyncio.current_task()]))
            async with done:
                pass

        return [produce(), consume()]

    look, findings = looked(use, lambda world: (world.look(), world.look_late(60.0)))
    (tx,), (rx,) = look.of(NodeKind.TX), look.of(NodeKind.RX)
    assert [(edge.kind, edge.dst) for edge in look.edges(tx.id)] == [(EdgeKind.CHANNEL_LINK, rx.id)]
    assert {one.level for one in findings} <= {Level.LIKELY, Level.SUSPECT}
    core = {node for one in findings for node in one.core}
    assert {look.task("produce").id, look.task("consume").id, tx.id} <= core
