# SPDX-License-Identifier: Apache-2.0
"""The words of the whole system: nodes, edges, snapshots, findings. Depends on nothing else of ours."""

from .finding import Finding, FindingKind, Level, Link, Site, finding_id
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
    "Finding",
    "FindingKind",
    "Frame",
    "Graph",
    "Level",
    "Link",
    "Node",
    "NodeKind",
    "Providers",
    "Site",
    "Snapshot",
    "Wait",
    "finding_id",
]
