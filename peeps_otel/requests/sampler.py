# SPDX-License-Identifier: Apache-2.0
"""Spans that are sampled out are seen while they last: they are recorded here, and exported nowhere.

A span that the sampler drops never reaches a processor, so that with a ratio of 1 % most requests would be invisible.
The decision for spans between processes becomes RECORD_ONLY: the flag on the wire stays unset, and no exporter takes
them. Internal spans stay dropped.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import SpanKind

from ..model.change import Change

CHANGES = (
    Change(
        "`sampler` of the program's tracer provider and of its tracers",
        "a sampler around it: a DROP for a client, server, producer or consumer span becomes RECORD_ONLY; the flag on "
        "the wire and what is exported stay as they are",
        "at the start",
        "by the agent's end",
        "`PEEPS_UNSAMPLED`",
    ),
)

_INTERNAL = SpanKind.INTERNAL
_DROP = Decision.DROP


class RecordingSampler(Sampler):
    """Asks `inner` and records what that would drop. Thread-safe where `inner` is."""

    def __init__(self, inner: Sampler) -> None:
        self.inner = inner

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
        if kind is None or kind is _INTERNAL or result.decision is not _DROP:
            return result
        return SamplingResult(Decision.RECORD_ONLY, attributes, result.trace_state)

    def get_description(self) -> str:
        return self.inner.get_description()


class UnsampledSpans:
    """`install` and `uninstall` from any thread, both idempotent. `installed`: whether all tracers have it."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider: Any = provider
        self.installed = False

    def install(self) -> None:
        """Also for tracers that were made before: each has the sampler of its provider for itself."""
        provider = self._provider
        inner = getattr(provider, "sampler", None)
        if self.installed or not isinstance(inner, Sampler):
            return
        outer = RecordingSampler(inner)
        for owner in (provider, *self._tracers()):
            if getattr(owner, "sampler", None) is inner:
                owner.sampler = outer
        self.installed = True

    def uninstall(self) -> None:
        """What somebody else has put there meanwhile is theirs to keep."""
        for owner in (self._provider, *self._tracers()):
            outer = getattr(owner, "sampler", None)
            if type(outer) is RecordingSampler:
                owner.sampler = outer.inner
        self.installed = False

    def _tracers(self) -> list[Any]:
        known: object = getattr(self._provider, "_tracers", None)
        return list(cast("Mapping[Any, Any]", known).values()) if isinstance(known, dict) else []
