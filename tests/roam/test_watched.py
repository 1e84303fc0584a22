# SPDX-License-Identifier: Apache-2.0
"""A program that speaks Roam, as it is seen from outside: calls as spans, and what the links report beside them."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from peeps_otel import roam, semconv
from peeps_otel.model import EdgeKind, NodeKind
from peeps_otel.providers.registered import living
from peeps_otel.roam.diagnostics import report
from tests.providers.provider_world import World, a_world
from tests.roam.roam_support import DIVIDE, ECHO, FAIL, HOLD, SLEEP, Shop, linked, run, until

Story = Callable[[roam.Link, Shop, World, InMemorySpanExporter], Awaitable[None]]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., None]]:
    """Runs a story between two peers, watched, with an SDK."""
    with a_world() as world:
        exporter = InMemorySpanExporter()
        world.tracers.add_span_processor(SimpleSpanProcessor(exporter))
        monkeypatch.setattr(trace, "get_tracer", world.tracers.get_tracer)

        def tell(story: Story, **options: Any) -> None:
            async def between() -> None:
                async with linked("tcp", tmp_path, options) as (link, shop):
                    await story(link, shop, world, exporter)

            run(between)

        yield tell


def facts(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def test_a_call_is_two_spans_of_one_trace(told: Callable[..., None]) -> None:
    async def story(link: roam.Link, _shop: Shop, _world: World, exporter: InMemorySpanExporter) -> None:
        await link.call(ECHO, "x")
        server, client = exporter.get_finished_spans()
        assert (client.kind, server.kind) == (SpanKind.CLIENT, SpanKind.SERVER)
        assert client.name == server.name == "Shop/echo"
        assert client.context is not None
        assert server.parent is not None
        assert (server.parent.span_id, server.parent.trace_id) == (client.context.span_id, client.context.trace_id)
        assert server.parent.is_remote
        common = {
            "rpc.system": "roam",
            "rpc.service": "Shop",
            "rpc.method": "echo",
            "network.peer.connection_id": 0,
            "network.transport": "tcp",
        }
        port = link.transport.port
        of_client = {"server.address": "127.0.0.1", "server.port": port, "rpc.request_id": "1"}
        assert facts(client) == common | of_client
        assert facts(server) == common | {"client.address": "127.0.0.1"}

    told(story)


def test_spans_say_how_calls_ended(told: Callable[..., None], caplog: pytest.LogCaptureFixture) -> None:
    async def story(link: roam.Link, _shop: Shop, _world: World, exporter: InMemorySpanExporter) -> None:
        with pytest.raises(roam.UserError):
            await link.call(DIVIDE, 1, 0)
        with pytest.raises(roam.CallCancelled), caplog.at_level("CRITICAL", "peeps_otel.roam"):
            await link.call(FAIL)
        call = asyncio.create_task(link.call(SLEEP))
        await until(lambda: link.root.calls.sent, "it is sent")
        call.cancel()
        await asyncio.wait([call])
        await until(lambda: len(exporter.get_finished_spans()) == 6, "all spans have ended")
        ends = {(span.name, span.kind.name): facts(span)["error.type"] for span in exporter.get_finished_spans()}
        assert ends == {
            ("Shop/divide", "SERVER"): "UserError",
            ("Shop/divide", "CLIENT"): "UserError",
            ("Shop/fail", "SERVER"): "LookupError",
            ("Shop/fail", "CLIENT"): "CallCancelled",
            ("Shop/sleep", "SERVER"): "CancelledError",
            ("Shop/sleep", "CLIENT"): "CancelledError",
        }
        assert {span.status.status_code for span in exporter.get_finished_spans()} == {StatusCode.ERROR}

    told(story)


def test_a_call_in_flight_is_one_request_whatever_tells_of_it(told: Callable[..., None]) -> None:
    async def story(link: roam.Link, _shop: Shop, world: World, _exporter: InMemorySpanExporter) -> None:
        call = asyncio.create_task(link.call(SLEEP), name="customer")
        await until(lambda: any(one.span for one in report().requests if one.direction == "in"), "it is handled")
        look = world.look()
        assert look.faults == []
        (request,), (response,) = look.of(NodeKind.REQUEST), look.of(NodeKind.RESPONSE)
        assert request.name == response.name == "Shop/sleep"
        assert request.attributes[semconv.CORRELATION] == response.attributes[semconv.CORRELATION]
        assert request.attributes[semconv.RPC_STAGE] == "sent"
        assert response.attributes[semconv.RPC_STAGE] == "handling"
        assert [(edge.kind, edge.dst) for edge in look.edges(look.task("customer").id) if edge.dst == request.id] == [
            (EdgeKind.NEEDS, request.id)
        ]
        (handler,) = [edge.dst for edge in look.edges(response.id) if edge.kind is EdgeKind.HANDLED_BY]
        assert look.observation.nodes[handler].name == "roam Shop.sleep"
        connections = look.of(NodeKind.CONNECTION)
        assert {one.attributes[semconv.CONNECTION_TRANSPORT] for one in connections} >= {"tcp"}
        limits = json.loads(str(connections[0].attributes[semconv.CONNECTION_LIMITS]))
        assert limits == {
            "credit": "full",
            "initial_channel_credit": 65536,
            "max_concurrent_requests": 64,
            "max_payload_size": 1048576,
        }
        call.cancel()
        await asyncio.wait([call])

    told(story)


def test_a_sender_without_credit_waits_for_its_channel(told: Callable[..., None]) -> None:
    async def story(link: roam.Link, shop: Shop, world: World, _exporter: InMemorySpanExporter) -> None:
        parts = link.root.sender(roam.BYTES)
        held = asyncio.create_task(link.call(HOLD, parts))

        async def send() -> None:
            for _ in range(5):
                await parts.send(b"x" * 298)
            parts.close()

        sending = asyncio.create_task(send(), name="producer")
        await until(lambda: link.credit_waiters, "it has no credit")
        look = world.look()
        producer = look.task("producer")
        assert producer.wait is not None
        assert producer.wait.operation == "channel.send"
        (tx,), (rx,) = look.of(NodeKind.TX), look.of(NodeKind.RX)
        assert [edge.dst for edge in look.edges(producer.id) if edge.kind is EdgeKind.NEEDS] == [tx.id]
        assert [edge.dst for edge in look.edges(tx.id) if edge.kind is EdgeKind.CHANNEL_LINK] == [rx.id]
        (sends,) = [one for one in report().channels if one.direction == "out"]
        assert (sends.credit, sends.capacity, sends.items, sends.bytes) == (100, 1000, 3, 900)
        shop.go_on.set()
        await asyncio.gather(sending, held)

    told(story, limits=roam.Limits(initial_channel_credit=1000))


def test_credit_that_the_peer_does_not_keep_is_not_told(told: Callable[..., None]) -> None:
    async def story(link: roam.Link, shop: Shop, _world: World, _exporter: InMemorySpanExporter) -> None:
        parts = link.root.sender(roam.BYTES)
        held = asyncio.create_task(link.call(HOLD, parts))
        await parts.send(b"x")
        (sends,) = [one for one in report().channels if one.direction == "out"]
        assert (sends.credit, sends.capacity, dict(sends.attributes)) == (None, None, {"credit": "not tracked by peer"})
        parts.close()
        shop.go_on.set()
        await held

    told(story, full_credit=False)


def test_the_provider_is_there_while_there_is_a_link(told: Callable[..., None]) -> None:
    def registered() -> list[str]:
        return [entry.name for entry in living() if entry.name == "roam"]

    async def story(_link: roam.Link, _shop: Shop, _world: World, _exporter: InMemorySpanExporter) -> None:
        assert registered() == ["roam"]

    told(story)
    assert registered() == []
    assert list(report().connections) == []


def test_the_reference_keys_are_in_each_request(told: Callable[..., None]) -> None:
    async def story(link: roam.Link, shop: Shop, world: World, _exporter: InMemorySpanExporter) -> None:
        heard: list[dict[str, Any]] = []
        relay = roam.Method("Shop", "relay")

        async def hear(context: roam.Context) -> None:
            heard.append({entry.key: entry.value for entry in context.metadata})

        shop.add(relay, hear)
        with world.tracer.start_as_current_span("order") as order:
            await asyncio.create_task(link.call(relay), name="customer")
        (said,) = heard
        trace_id = f"{order.get_span_context().trace_id:032x}"
        assert said["traceparent"].split("-")[1] == trace_id == said["peeps.chain_id"]
        assert said["traceparent"].split("-")[2] == said["peeps.span_id"]
        assert said["peeps.parent_span_id"] == f"{order.get_span_context().span_id:016x}"
        assert said["peeps.request_entity_id"] == f"{trace_id}-{said['peeps.span_id']}"
        assert (said["peeps.method_name"], said["peeps.task_name"]) == ("Shop.relay", "customer")

    told(story)


def test_nothing_of_it_is_imported_by_whoever_does_not_speak_it() -> None:
    code = """
import sys
import peeps_otel, peeps_otel.agent, peeps_otel.providers
assert not [name for name in sys.modules if name.startswith("peeps_otel.roam")]
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_it_needs_the_standard_library_and_the_api_of_opentelemetry() -> None:
    code = """
import sys
import peeps_otel.roam
found = {name.partition(".")[0] for name in sys.modules} - set(sys.stdlib_module_names)
print(*sorted(name for name in found if not name.startswith("_")), *[n for n in sys.modules if ".sdk" in n])
"""
    ran = subprocess.run([sys.executable, "-I", "-c", code], check=True, timeout=60, stdout=subprocess.PIPE, text=True)
    assert set(ran.stdout.split()) <= {"opentelemetry", "peeps_otel", "typing_extensions", "importlib_metadata", "zipp"}
