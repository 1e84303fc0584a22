# SPDX-License-Identifier: Apache-2.0
"""The words of the whole system: nodes, edges, snapshots, findings. Depends on nothing else of ours."""

from .finding import EvidenceStep, Finding, FindingKind, Level, Site, finding_id
from .graph import (
    AttributeValue,
    Confidence,
    Edge,
    EdgeKind,
    Frame,
    Graph,
    Node,
    NodeKind,
    Providers,
    Wait,
)
from .snapshot import Snapshot

__all__ = [
    "AttributeValue",
    "Confidence",
    "Edge",
    "EdgeKind",
    "EvidenceStep",
    "Finding",
    "FindingKind",
    "Frame",
    "Graph",
    "Level",
    "Node",
    "NodeKind",
    "Providers",
    "Site",
    "Snapshot",
    "Wait",
    "finding_id",
]
