# SPDX-License-Identifier: Apache-2.0
"""Readable events for every backend: `peeps.finding`, `peeps.node`, `peeps.node.gone`.

Only what matters by default: the nodes of a finding, and tasks in a long wait for something of the program itself.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from .. import native, semconv
from ..model import Confidence, Edge, Finding, Frame, Level, Node, NodeKind, Snapshot, own_line
from ..model.seal import finding_seal
from ..probes.probe import ProviderFault
from ..version import __version__
from ..watcher.interfaces import CycleResult
from ..watcher.stalls import Stall
from .otel_names import Loggers, LogRecord, SeverityNumber, empty_context
from .stuck_request import context_of_stuck_request

if TYPE_CHECKING:
    from opentelemetry.context import Context

    from ..model.wire import Encoder

_LONG_NS = 5_000_000_000
_NODES_MOST = 200  # per look
_CORE_MOST = 128
_STALLS_MOST = 20  # per look
_SITES_MOST = 20
_FAULTS_MOST = 20  # per look
_SEVERITY = {
    Level.PROVEN: SeverityNumber.ERROR,
    Level.LIKELY: SeverityNumber.ERROR,
    Level.SUSPECT: SeverityNumber.WARN,
    Level.SLOW: SeverityNumber.WARN,
}


class Events:
    """Emits through one or several logger providers. On the watcher thread only.

    `nodes`: matter, all or none. `snapshots`: whether `peeps.snapshot` events go there too, for a collector of ours
    that stands behind the program's own exporter.
    """

    def __init__(self, provider: Loggers, nodes: str, snapshots: bool = False) -> None:
        self._logger = provider.get_logger(semconv.SCOPE, __version__, schema_url=semconv.SCHEMA_URL)
        self._nodes = nodes
        self._told: dict[str, Node] = {}
        self._waiting: dict[str, Node] = {}  # tasks that wait for something of this program
        self._encoder = _encoder() if snapshots else None
        self._faults: set[ProviderFault] = set()  # of the look before

    def tell(self, record: LogRecord) -> None:
        """One record as it is."""
        self._emit(
            record.event_name or "",
            record.timestamp or 0,
            SeverityNumber.DEBUG,
            str(record.body),
            dict(record.attributes or {}),
        )

    def take(self, look: CycleResult) -> None:
        snapshot = look.snapshot
        if self._encoder is not None:
            self._snapshot(self._encoder, snapshot)
        for finding in look.opened:
            self._finding(finding, semconv.FINDING_OPEN, look)
        for finding in look.resolved:
            self._finding(finding, semconv.FINDING_RESOLVED, look)
        for refuted in look.refuted:
            self._finding(refuted.finding, semconv.FINDING_REFUTED, look, refuted.member)
        self._tell_faults(look)
        for stall in look.stalls[:_STALLS_MOST]:
            self._stall(stall)
        self._keep_waiting(look)
        if self._nodes == "none":
            return
        for node in self._due(look):
            self._told[node.id] = node
            self._node(node, look.observation.edges.get(node.id, ()), snapshot)
        gone = [node_id for node_id in self._told if node_id not in look.observation.nodes]
        for node_id in gone:
            self._gone(self._told.pop(node_id), snapshot)

    def _keep_waiting(self, look: CycleResult) -> None:
        if look.snapshot.sequence == 1:  # a new stream: all that there is counts as changed
            self._waiting.clear()
        for _, node in look.difference.changed:
            if node.kind is NodeKind.TASK and node.wait is not None and look.observation.edges.get(node.id):
                self._waiting[node.id] = node
            else:
                self._waiting.pop(node.id, None)
        for node in look.difference.gone:
            self._waiting.pop(node.id, None)

    def _due(self, look: CycleResult) -> list[Node]:
        """The nodes to tell of: new ones, and told ones that have changed."""
        nodes = look.observation.nodes
        if self._nodes == "all":
            wanted = [node.id for node in nodes.values()]
        else:
            wanted = [node_id for finding in look.findings for node_id in _members(finding)]
            wanted += [node.id for node in self._waiting.values() if _waits_long(node, look)]
            wanted += self._told
        changed = (nodes[i] for i in dict.fromkeys(wanted) if i in nodes and self._told.get(i) is not nodes[i])
        return [node for node, _ in zip(changed, range(_NODES_MOST), strict=False)]

    def _snapshot(self, encoder: Encoder, snapshot: Snapshot) -> None:
        attributes = {semconv.STREAM_ID: f"{snapshot.stream_id:016x}", semconv.SEQUENCE: snapshot.sequence}
        self._emit(semconv.EVENT_SNAPSHOT, snapshot.time_ns, SeverityNumber.DEBUG, encoder.encode(snapshot), attributes)

    def _emit(
        self,
        name: str,
        time_ns: int,
        severity: SeverityNumber,
        body: str | bytes,
        attributes: dict[str, Any],
        context: Context | None = None,
    ) -> None:
        self._logger.emit(
            event_name=name,
            timestamp=time_ns,
            observed_timestamp=time_ns,
            context=empty_context() if context is None else context,
            severity_number=severity,
            severity_text=severity.name,
            body=body,
            attributes=attributes,
        )

    def _finding(self, finding: Finding, state: str, look: CycleResult, refuted_by: str = "") -> None:
        snapshot = look.snapshot
        time_ns, core = snapshot.time_ns, finding.core[:_CORE_MOST]
        attributes: dict[str, Any] = {
            semconv.FINDING_ID: finding.id,
            semconv.FINDING_KIND: finding.kind.value,
            semconv.FINDING_LEVEL: finding.level.value,
            semconv.FINDING_TITLE: finding.title,
            semconv.FINDING_STATE: state,
            semconv.FINDING_SINCE: finding.since_ns,
            semconv.FINDING_CORE: core,
            semconv.FINDING_CYCLE: finding.cycle[:_CORE_MOST],
            semconv.FINDING_BLOCKED_COUNT: len(finding.blocked),
            semconv.FINDING_ADVICE: finding.advice,
            semconv.FINDING_EVIDENCE: [
                {
                    key: value
                    for key, value in (
                        ("waiter", link.waiter),
                        ("resource", link.resource),
                        ("holder", link.holder),
                        ("since_ns", link.since_ns),
                        ("text", link.text),
                        ("wait_source", link.wait_source),
                        ("hold_since_ns", link.hold_since_ns),
                        ("hold_source", link.hold_source),
                        ("holder_doing", link.holder_doing or None),
                    )
                    if value is not None
                }
                for link in finding.evidence[:_CORE_MOST]
            ],
        }
        if snapshot.secret:
            attributes[semconv.FINDING_SEAL] = finding_seal(snapshot.secret, finding, core, state, time_ns)
        if finding.blocked_sites:
            attributes[semconv.FINDING_BLOCKED_SITES] = [asdict(site) for site in finding.blocked_sites[:_SITES_MOST]]
        if finding.break_first:
            attributes[semconv.FINDING_BREAK_FIRST] = finding.break_first
        if finding.look_at:
            attributes[semconv.FINDING_LOOK_AT] = finding.look_at
        if refuted_by:
            attributes[semconv.FINDING_REFUTED_BY] = refuted_by
        if finding.count > 1:
            attributes[semconv.FINDING_ALIKE_COUNT] = finding.count
            attributes[semconv.FINDING_ALIKE_EXAMPLES] = finding.examples
        opened = state == semconv.FINDING_OPEN
        severity = _SEVERITY[finding.level] if opened else SeverityNumber.INFO
        kind = finding.kind.value.upper().replace("_", " ")
        body = f"{kind}, {finding.level.value}: {finding.title}" if opened else f"{state}: {finding.title}"
        context = context_of_stuck_request(finding, look.observation)
        self._emit(semconv.EVENT_FINDING, time_ns, severity, body, attributes, context)

    def _tell_faults(self, look: CycleResult) -> None:
        """Of the program's own providers: once for each that is new."""
        faults = dict.fromkeys(look.observation.faults)
        for fault in [fault for fault in faults if fault not in self._faults][:_FAULTS_MOST]:
            attributes: dict[str, Any] = {
                semconv.PROVIDER_NAME: fault.provider,
                semconv.PROVIDER_KIND: fault.kind,
                semconv.PROVIDER_REASON: fault.reason,
            }
            body = f"provider {fault.provider}: {fault.reason}"
            self._emit(semconv.EVENT_PROVIDER_FAULT, look.snapshot.time_ns, SeverityNumber.WARN, body, attributes)
        self._faults = set(faults)

    def _stall(self, stall: Stall) -> None:
        """A callback that kept its loop for long, and has given it back."""
        attributes: dict[str, Any] = {
            semconv.LOOP_STALLED_SINCE: stall.since_ns,
            semconv.LOOP_STALL_DURATION: stall.duration_ns,
            semconv.THREAD_NAME: stall.thread_name,
            semconv.CODE_STACKTRACE: stack_text(stall.stack),
        }
        if stall.native_id is not None:
            attributes[semconv.THREAD_ID] = stall.native_id
        if stall.task_name:
            attributes[semconv.NODE_NAME] = stall.task_name
        place = own_line.place(stall.stack)
        place = f" at {place}" if own_line.is_line(place) else f" {place}" if place else ""
        what = f"task {stall.task_name}" if stall.task_name else "a callback"
        body = f"{what} kept the event loop of {stall.thread_name} for {stall.duration_ns / 1e9:.3g} s{place}"
        ended_ns = stall.since_ns + stall.duration_ns
        self._emit(semconv.EVENT_LOOP_STALL, ended_ns, SeverityNumber.WARN, body, attributes)

    def _node(self, node: Node, edges: tuple[Edge, ...], snapshot: Snapshot) -> None:
        attributes = _identity(node, snapshot)
        attributes |= node.attributes
        attributes |= {
            key: value
            for key, value in (
                (semconv.CONFIDENCE, node.confidence.value),
                (semconv.STATE, node.state),
                (semconv.PROVIDERS, None if node.providers is None else node.providers.value),
                (semconv.TASK_STEPS, node.steps),
                (semconv.CODE_STACKTRACE, stack_text(node.stack) or None),
                (semconv.STACK_LIBRARIES, [frame.library or "" for frame in node.stack] or None),
            )
            if value is not None
        }
        if node.wait is not None:
            attributes |= {
                semconv.WAIT_OPERATION: node.wait.operation,
                semconv.WAIT_SINCE: node.wait.since_ns,
                semconv.WAIT_SINCE_EXACT: node.wait.exact,
                semconv.WAIT_NEEDS: node.wait.needs,
                semconv.WAIT_SOURCE: node.wait.source,
            }
            if node.wait.deadline_ns is not None:
                attributes[semconv.WAIT_DEADLINE] = node.wait.deadline_ns
        if edges:
            attributes[semconv.EDGES] = [_edge(edge) for edge in edges[:_CORE_MOST]]
        self._emit(semconv.EVENT_NODE, snapshot.time_ns, SeverityNumber.INFO, _sentence(node), attributes)

    def _gone(self, node: Node, snapshot: Snapshot) -> None:
        self._emit(
            semconv.EVENT_NODE_GONE,
            snapshot.time_ns,
            SeverityNumber.INFO,
            f"{node.kind} {node.name} ended",
            _identity(node, snapshot),
        )


def _identity(node: Node, snapshot: Snapshot) -> dict[str, Any]:
    return {
        semconv.NODE_ID: node.id,
        semconv.NODE_KIND: node.kind.value,
        semconv.NODE_NAME: node.name,
        semconv.CREATED_AT: node.created_at,
        semconv.SOURCE: node.source,
        semconv.STREAM_ID: f"{snapshot.stream_id:016x}",
        semconv.SEQUENCE: snapshot.sequence,
    }


def _edge(edge: Edge) -> dict[str, Any]:
    found: dict[str, Any] = {"kind": edge.kind.value, "dst": edge.dst}
    if edge.since_ns is not None:
        found["since"] = edge.since_ns
    if edge.source:
        found["source"] = edge.source
    if edge.confidence is Confidence.INFERRED:
        found["confidence"] = edge.confidence.value
    if edge.cancels:
        found["cancels"] = True
    if edge.bare:
        found["bare"] = True
    return found


def _members(finding: Finding) -> list[str]:
    linked = [end for link in finding.evidence for end in (link.waiter, link.resource, link.holder) if end is not None]
    return [*finding.core, *linked]


def _waits_long(node: Node, look: CycleResult) -> bool:
    return node.wait is not None and look.snapshot.time_ns - node.wait.since_ns >= _LONG_NS


def _sentence(node: Node) -> str:
    if node.wait is None:
        return f"{node.kind} {node.name}"
    preposition = "at " if own_line.is_line(node.wait.source) else ""
    return f"{node.kind} {node.name} waits in {node.wait.operation} {preposition}{node.wait.source}"


def stack_text(stack: tuple[Frame, ...]) -> str:
    """A chain of awaits as Python writes a traceback, outermost frame first."""
    return "\n".join(
        f'  File "{frame.file}", in {frame.function}'
        if frame.line is None
        else f'  File "{frame.file}", line {frame.line}, in {frame.function}'
        for frame in stack
    )


def _encoder() -> Encoder:
    with native.importing:
        from ..model.wire import Encoder  # with the whole of protobuf

    return Encoder()
