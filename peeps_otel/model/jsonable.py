# SPDX-License-Identifier: Apache-2.0
"""The model as JSON-ready dictionaries and back: the shapes of the query API (docs/api.md)."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any, cast

from .finding import EvidenceStep, Finding, FindingKind, Level, Site
from .graph import Confidence, Edge, EdgeKind, Frame, Node, NodeKind, Providers, Wait

Json = dict[str, Any]
_WAIT = tuple(field.name for field in fields(Wait))


def node_to_json(node: Node) -> Json:
    wait = node.wait
    return {
        "id": node.id,
        "kind": node.kind.value,
        "name": node.name,
        "created_at": node.created_at,
        "source": node.source,
        "confidence": node.confidence.value,
        "state": node.state,
        "providers": None if node.providers is None else node.providers.value,
        "wait": None if wait is None else {name: getattr(wait, name) for name in _WAIT},
        "stack": [frame_to_json(frame) for frame in node.stack],
        "steps": node.steps,
        "attributes": dict(node.attributes),
    }


def node_from_json(data: Json) -> Node:
    wait = cast("Json | None", data.get("wait"))
    providers = cast("str | None", data.get("providers"))
    return Node(
        id=data["id"],
        kind=NodeKind(data["kind"]),
        name=data["name"],
        created_at=data["created_at"],
        source=data["source"],
        confidence=Confidence(data["confidence"]),
        state=data.get("state"),
        providers=None if providers is None else Providers(providers),
        wait=None if wait is None else Wait(**{name: wait[name] for name in _WAIT if name in wait}),
        stack=tuple(_frame_from_json(frame) for frame in data.get("stack", ())),
        steps=data.get("steps"),
        attributes=dict(data.get("attributes", {})),
    )


def frame_to_json(frame: Frame) -> Json:
    told: Json = {"function": frame.function, "file": frame.file, "line": frame.line}
    if frame.own is not None:
        told["own"] = frame.own
    if frame.library:
        told["library"] = frame.library
    return told


def _frame_from_json(data: Json) -> Frame:
    return Frame(data["function"], data["file"], data["line"], "" if data.get("own") else data.get("library"))


def edge_to_json(edge: Edge) -> Json:
    return {
        "kind": edge.kind.value,
        "src": edge.src,
        "dst": edge.dst,
        "since_ns": edge.since_ns,
        "source": edge.source,
        "confidence": edge.confidence.value,
        "cancels": edge.cancels,
        "bare": edge.bare,
    }


def edge_from_json(data: Json) -> Edge:
    return Edge(
        kind=EdgeKind(data["kind"]),
        src=data["src"],
        dst=data["dst"],
        since_ns=data.get("since_ns"),
        source=data.get("source"),
        confidence=Confidence(data["confidence"]),
        cancels=bool(data.get("cancels", False)),
        bare=bool(data.get("bare", False)),
    )


def finding_to_json(finding: Finding) -> Json:
    return {
        "id": finding.id,
        "kind": finding.kind.value,
        "level": finding.level.value,
        "title": finding.title,
        "since_ns": finding.since_ns,
        "core": list(finding.core),
        "cycle": list(finding.cycle),
        "blocked": list(finding.blocked),
        "evidence": [asdict(link) for link in finding.evidence],
        "advice": finding.advice,
        "blocked_sites": [asdict(site) for site in finding.blocked_sites],
        "break_first": finding.break_first,
        "look_at": finding.look_at,
        "stack": [frame_to_json(frame) for frame in finding.stack],
        "count": finding.count,
        "examples": list(finding.examples),
    }


def finding_from_json(data: Json) -> Finding:
    return Finding(
        id=data["id"],
        kind=FindingKind(data["kind"]),
        level=Level(data["level"]),
        title=data["title"],
        since_ns=data["since_ns"],
        core=list(data["core"]),
        cycle=list(data["cycle"]),
        blocked=list(data["blocked"]),
        evidence=[EvidenceStep(**link) for link in data["evidence"]],
        advice=data["advice"],
        blocked_sites=[Site(**site) for site in data.get("blocked_sites", ())],
        break_first=data.get("break_first", ""),
        look_at=data.get("look_at", ""),
        stack=tuple(_frame_from_json(frame) for frame in data.get("stack", ())),
        count=data.get("count", 1),
        examples=list(data.get("examples", ())),
    )
