# SPDX-License-Identifier: Apache-2.0
"""What our span processor adds to a span between processes, and what a span costs that is sampled out but seen.

`python -m bench.spans`: prints, publishes nothing. Processor time of the thread, the least of many short runs: on a
machine that others use too, long ones are all disturbed.
"""

from __future__ import annotations

import asyncio
import gc
import time

from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Sampler
from opentelemetry.trace import SpanKind, Tracer

from peeps_otel.requests.live_spans import LiveSpans
from peeps_otel.requests.sampler import UnsampledSpans

_SPANS = 300
_RUNS = 700


def _tracer(sampler: Sampler, processor: SpanProcessor | None, unsampled: bool = False) -> Tracer:
    provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
    if processor is not None:
        provider.add_span_processor(processor)
    if unsampled:
        UnsampledSpans(provider).install()
    return provider.get_tracer("bench")


def _run(tracer: Tracer, kind: SpanKind) -> float:
    began_ns = time.thread_time_ns()
    for _ in range(_SPANS):
        tracer.start_span("GET", kind=kind).end()
    return (time.thread_time_ns() - began_ns) / _SPANS


async def main() -> None:
    """In a task, as most spans of servers are."""
    cases = {
        "the SDK with a processor that does nothing": (_tracer(ALWAYS_ON, SpanProcessor()), SpanKind.CLIENT),
        "the SDK with ours": (_tracer(ALWAYS_ON, LiveSpans()), SpanKind.CLIENT),
        "the SDK with ours, an internal span": (_tracer(ALWAYS_ON, LiveSpans()), SpanKind.INTERNAL),
        "sampled out, not seen": (_tracer(ALWAYS_OFF, LiveSpans()), SpanKind.CLIENT),
        "sampled out, seen": (_tracer(ALWAYS_OFF, LiveSpans(), unsampled=True), SpanKind.CLIENT),
    }
    least = dict.fromkeys(cases, float("inf"))
    gc.disable()
    for _ in range(_RUNS):
        for name, (tracer, kind) in cases.items():
            least[name] = min(least[name], _run(tracer, kind))
    for name, cost_ns in least.items():
        print(f"{cost_ns / 1000:6.2f} us  {name}")
    with_ours, without = least["the SDK with ours"], least["the SDK with a processor that does nothing"]
    print(f"{(with_ours - without) / 1000:6.2f} us  what ours adds")


if __name__ == "__main__":
    asyncio.run(main())
