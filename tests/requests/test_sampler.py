# SPDX-License-Identifier: Apache-2.0
"""What is sampled out is seen, exported nowhere, and looks on the wire as it did."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.propagate import inject
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased, Sampler, TraceIdRatioBased
from opentelemetry.trace import SpanKind, set_span_in_context

from peeps_otel.requests import sampler
from peeps_otel.requests.sampler import RecordingSampler, UnsampledSpans
from tests.requests.spans import CLIENT, CONSUMER, INTERNAL, PRODUCER, SERVER, World, remote_parent

NOTHING: list[Sampler] = [ALWAYS_OFF, ParentBased(TraceIdRatioBased(0)), TraceIdRatioBased(0)]


@pytest.mark.parametrize("dropping", NOTHING, ids=lambda one: one.get_description())
@pytest.mark.parametrize("kind", [CLIENT, SERVER, PRODUCER, CONSUMER])
def test_a_span_that_is_sampled_out_is_seen_and_not_exported(dropping: Sampler, kind: SpanKind) -> None:
    world, exported = World(dropping), InMemorySpanExporter()
    world.provider.add_span_processor(SimpleSpanProcessor(exported))
    UnsampledSpans(world.provider).install()  # the tracer was made before
    with world.tracer.start_as_current_span("call", kind=kind, attributes={"rpc.method": "Take"}) as span:
        (live,) = world.spans.spans().values()
        assert live.span() is span
        assert span.is_recording()
        carrier: dict[str, str] = {}
        inject(carrier, set_span_in_context(span))
    assert carrier["traceparent"].endswith("-00") or carrier["traceparent"][-2:] == "02"
    assert exported.get_finished_spans() == ()


def test_internal_spans_stay_dropped_and_what_is_sampled_stays_sampled() -> None:
    off, on = World(ALWAYS_OFF), World(ALWAYS_ON)
    for world in (off, on):
        UnsampledSpans(world.provider).install()
    assert not off.tracer.start_span("step", kind=INTERNAL).is_recording()
    assert on.tracer.start_span("call", kind=CLIENT).get_span_context().trace_flags.sampled


def test_the_decision_of_a_parent_still_holds() -> None:
    world = World(ParentBased(ALWAYS_ON))
    UnsampledSpans(world.provider).install()
    dropped = world.tracer.start_span("call", context=remote_parent(sampled=False), kind=SERVER)
    taken = world.tracer.start_span("call", context=remote_parent(sampled=True), kind=SERVER)
    flags = [span.get_span_context().trace_flags.sampled for span in (dropped, taken)]
    assert (dropped.is_recording(), flags) == (True, [False, True])


@pytest.mark.parametrize("asked", [ALWAYS_ON, ParentBased(ALWAYS_ON)], ids=lambda one: one.get_description())
def test_a_span_that_is_sampled_asks_nothing_of_ours(asked: Sampler, monkeypatch: pytest.MonkeyPatch) -> None:
    world, ours = World(asked), list[SpanKind | None]()
    own = RecordingSampler.should_sample

    def noted(self: RecordingSampler, *arguments: Any, **more: Any) -> Any:
        ours.append(more.get("kind"))
        return own(self, *arguments, **more)

    monkeypatch.setattr(RecordingSampler, "should_sample", noted)
    UnsampledSpans(world.provider).install()
    with world.tracer.start_as_current_span("call", context=remote_parent(sampled=True), kind=SERVER):
        world.tracer.start_span("inner", kind=CLIENT).end()
    world.tracer.start_span("root", kind=CLIENT).end()
    assert ours == []
    world.tracer.start_span("call", context=remote_parent(sampled=False), kind=SERVER).end()
    assert ours == ([] if asked is ALWAYS_ON else [SERVER])
    assert world.provider.sampler.get_description() == asked.get_description()


def test_the_samplers_are_as_before_when_it_ends() -> None:
    world = World(ALWAYS_OFF)
    unsampled = UnsampledSpans(world.provider)
    unsampled.install()
    unsampled.install()
    later = world.provider.get_tracer("later")
    unsampled.uninstall()
    samplers = [one.sampler for one in (world.provider, world.tracer, later)]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownVariableType]  # the SDK's tracer has it without a type
    assert samplers == [ALWAYS_OFF] * 3


def test_so_many_a_second_are_recorded_and_that_there_were_more_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    world, seconds = World(ALWAYS_OFF), [7.0]
    monkeypatch.setattr(sampler, "monotonic", lambda: seconds[0])
    unsampled = UnsampledSpans(world.provider, 3)
    unsampled.install()

    def recorded(count: int) -> int:
        return sum(world.tracer.start_span("call", kind=SERVER).is_recording() for _ in range(count))

    assert (recorded(3), unsampled.allowance.refused) == (3, False)
    assert (recorded(5), unsampled.allowance.refused) == (0, True)
    seconds[0] = 8.5
    assert recorded(5) == 3
