# SPDX-License-Identifier: Apache-2.0
"""Spans that are sampled out are seen while they last: some of each second are recorded here, and exported nowhere.

A span that the sampler drops never reaches a processor, so that with a ratio of 1 % most requests would be invisible.
The decision for spans between processes becomes RECORD_ONLY: the flag on the wire stays unset, and no exporter takes
them. Internal spans stay dropped. Samplers of OpenTelemetry that never drop are left as they are, and of those that
decide by the parent only the parts that may drop are asked through ours: a span that is sampled pays nothing. A
recorded span costs several times what a dropped one does, so only so many a second
are: a busy service pays a thousandth of a core at most, and one that has stopped answering is seen whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from time import monotonic
from typing import Any, cast

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_ON,
    Decision,
    ParentBased,
    Sampler,
    SamplingResult,
)
from opentelemetry.trace import SpanKind

from ..model.change import Change

CHANGES = (
    Change(
        "`sampler` of the program's tracer provider and of its tracers",
        "a sampler around what of it may drop spans: for at most 100 a second, a DROP for a client, server, producer "
        "or consumer span becomes RECORD_ONLY; the flag on the wire and what is exported stay as they are",
        "at the start",
        "by the agent's end",
        "`PEEPS_UNSAMPLED`",
    ),
)

_INTERNAL = SpanKind.INTERNAL
_DROP = Decision.DROP


class Allowance:
    """At most `per_second` in each second; None: no limit. From any thread: at a change of seconds, a few more may
    pass. `refused`: whether any was, since somebody has set it to False."""

    def __init__(self, per_second: int | None) -> None:
        self.per_second = per_second
        self._second = 0
        self._passed = 0
        self.refused = False

    def passes(self) -> bool:
        if self.per_second is None:
            return True
        second = int(monotonic())
        if second != self._second:
            self._second, self._passed = second, 0
        if self._passed >= self.per_second:
            self.refused = True
            return False
        self._passed += 1
        return True


class RecordingSampler(Sampler):
    """Asks `inner` and records of what that would drop as much as is allowed. Thread-safe where `inner` is."""

    def __init__(self, inner: Sampler, allowance: Allowance) -> None:
        self.inner = inner
        self._passes = allowance.passes

    def should_sample(
        self,
        parent_context: Any,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Any = None,
        links: Any = None,
        trace_state: Any = None,
    ) -> SamplingResult:
        result = self.inner.should_sample(parent_context, trace_id, name, kind, attributes, links)
        if kind is None or kind is _INTERNAL or result.decision is not _DROP or not self._passes():
            return result
        return SamplingResult(Decision.RECORD_ONLY, attributes, result.trace_state)

    def get_description(self) -> str:
        return self.inner.get_description()


_PARTS = (
    "root",
    "remote_parent_sampled",
    "remote_parent_not_sampled",
    "local_parent_sampled",
    "local_parent_not_sampled",
)


def recording(inner: Sampler, allowance: Allowance) -> Sampler:
    """`inner` itself where it never drops a span, else what decides like it and records within the allowance."""
    if inner is ALWAYS_ON:
        return inner
    if type(inner).should_sample is ParentBased.should_sample:  # it asks one of its parts, and does nothing else
        parts = {name: getattr(inner, f"_{name}", None) for name in _PARTS}
        if all(isinstance(part, Sampler) for part in parts.values()):
            samplers = cast("dict[str, Sampler]", parts)
            return ParentBased(**{name: recording(part, allowance) for name, part in samplers.items()})
    return RecordingSampler(inner, allowance)


class UnsampledSpans:
    """`install` and `uninstall` from any thread, both idempotent. `installed`: whether all tracers have it."""

    def __init__(self, provider: TracerProvider, per_second: int | None = None) -> None:
        self._provider: Any = provider
        self.allowance = Allowance(per_second)
        self._inner: Sampler | None = None
        self._outer: Sampler | None = None

    @property
    def installed(self) -> bool:
        return self._outer is not None

    def install(self) -> None:
        """Also for tracers that were made before: each has the sampler of its provider for itself."""
        provider = self._provider
        inner = getattr(provider, "sampler", None)
        if self.installed or not isinstance(inner, Sampler):
            return
        self._inner, self._outer = inner, recording(inner, self.allowance)
        self._exchange(inner, self._outer)

    def uninstall(self) -> None:
        """What somebody else has put there meanwhile is theirs to keep."""
        if self._outer is not None:
            self._exchange(self._outer, self._inner)
        self._inner = self._outer = None

    def _exchange(self, old: Sampler, new: Sampler | None) -> None:
        for owner in (self._provider, *self._tracers()):
            if getattr(owner, "sampler", None) is old:
                owner.sampler = new

    def _tracers(self) -> list[Any]:
        known: object = getattr(self._provider, "_tracers", None)
        return list(cast("Mapping[Any, Any]", known).values()) if isinstance(known, dict) else []
