# SPDX-License-Identifier: Apache-2.0
"""Hypothesis strategies for nodes, edges, findings and streams of snapshots."""

from __future__ import annotations

from hypothesis import strategies as st

from peeps_otel.model import (
    AttributeValue,
    Confidence,
    Edge,
    EdgeKind,
    EvidenceStep,
    Finding,
    FindingKind,
    Frame,
    Level,
    Node,
    NodeKind,
    Providers,
    Snapshot,
    Wait,
)
from peeps_otel.model.ulid import ulid_text


def _id(kind: NodeKind, raw: bytes) -> str:
    return f"{kind}:{ulid_text(raw)}"


times = st.integers(1, (1 << 63) - 1)
texts = st.text(max_size=8)
words = st.text(min_size=1, max_size=8)
kinds = st.sampled_from(list(NodeKind))
ids = st.builds(_id, kinds, st.binary(min_size=16, max_size=16))
frames = st.builds(Frame, texts, texts, st.none() | st.integers(1, 1 << 31), st.none() | texts)
stacks = st.lists(frames, max_size=4).map(tuple)
values: st.SearchStrategy[AttributeValue] = texts | st.integers(-(1 << 63), (1 << 63) - 1) | st.booleans()
waits = st.builds(
    Wait,
    operation=words,
    since_ns=times,
    source=texts,
    needs=st.integers(0, 1 << 31),
    deadline_ns=st.none() | times,
    exact=st.booleans(),
)


@st.composite
def nodes(draw: st.DrawFn, node_id: str | None = None) -> Node:
    chosen = draw(ids) if node_id is None else node_id
    return Node(
        id=chosen,
        kind=NodeKind(chosen.partition(":")[0]),
        name=draw(texts),
        created_at=draw(times),
        source=draw(texts),
        confidence=draw(st.sampled_from(list(Confidence))),
        state=draw(st.none() | words),
        providers=draw(st.none() | st.sampled_from(list(Providers))),
        wait=draw(st.none() | waits),
        stack=draw(stacks),
        steps=draw(st.none() | st.integers(0, (1 << 31) - 1)),
        attributes=draw(st.dictionaries(texts, values, max_size=3)),
    )


@st.composite
def edges(draw: st.DrawFn, sources: list[str], targets: list[str]) -> Edge:
    return Edge(
        kind=draw(st.sampled_from(list(EdgeKind))),
        src=draw(st.sampled_from(sources)),
        dst=draw(st.sampled_from(targets)),
        since_ns=draw(st.none() | times),
        source=draw(st.none() | words),
        confidence=draw(st.sampled_from(list(Confidence))),
        cancels=draw(st.booleans()),
        bare=draw(st.booleans()),
    )


@st.composite
def streams(draw: st.DrawFn) -> list[Snapshot]:
    """The snapshots of one stream as the watcher would send them: edges lead to nodes that are known to it."""
    stream_id = draw(st.integers(1, (1 << 64) - 1))
    pool = draw(st.lists(ids, min_size=1, max_size=6, unique=True))
    live: set[str] = set()
    found: list[Snapshot] = []
    for sequence in range(1, draw(st.integers(1, 5)) + 1):
        key_frame = sequence == 1 or draw(st.booleans())
        gone = draw(st.lists(st.sampled_from(sorted(live)), unique=True)) if live else []
        told = draw(st.lists(st.sampled_from(pool), unique=True))
        told = [one for one in told if one not in gone]
        if key_frame:
            told += sorted(live.difference(told, gone))
        live = live.union(told)
        known = sorted(live)
        found.append(
            Snapshot(
                stream_id=stream_id,
                sequence=sequence,
                time_ns=draw(times),
                key_frame=key_frame,
                nodes=[draw(nodes(one)) for one in told],
                edges=draw(st.lists(edges(told, known), max_size=4)) if told else [],
                gone=[] if key_frame else gone,
                cpu_ns=draw(st.integers(0, 1 << 62)),
                duration_ns=draw(st.integers(0, 1 << 62)),
                dropped=draw(st.integers(0, 1 << 62)),
                interval_ns=draw(st.integers(0, 1 << 62)),
                coverage=draw(st.lists(texts, max_size=2)),
                shed=draw(st.lists(texts, max_size=2)),
            )
        )
        live = live.difference(gone)
        if key_frame and gone:
            found[-1].edges = [edge for edge in found[-1].edges if edge.dst not in gone]
    return found


links = st.builds(
    EvidenceStep,
    waiter=ids,
    resource=ids,
    holder=st.none() | ids,
    since_ns=times,
    text=texts,
    wait_source=texts,
    hold_since_ns=st.none() | times,
    hold_source=st.none() | texts,
)
findings = st.builds(
    Finding,
    id=texts,
    kind=st.sampled_from(list(FindingKind)),
    level=st.sampled_from(list(Level)),
    title=texts,
    since_ns=times,
    core=st.lists(ids, max_size=3),
    cycle=st.lists(ids, max_size=3),
    blocked=st.lists(ids, max_size=3),
    evidence=st.lists(links, max_size=3),
    advice=texts,
)
