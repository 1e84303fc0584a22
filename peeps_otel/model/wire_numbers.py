# SPDX-License-Identifier: Apache-2.0
"""The numbers by which `peeps.v1.Snapshot` names what there are few of; both ends of a stream need them."""

from __future__ import annotations

from .graph import EdgeKind, NodeKind, Providers

NODE_KINDS = list(NodeKind)
EDGE_KINDS = list(EdgeKind)
PROVIDERS: list[Providers | None] = [None, Providers.CLOSED, Providers.ESTIMATED, Providers.OPEN]
INFERRED = 1
WAIT_EXACT = 2
CANCELS = 2
BARE = 4
OWN = 1  # frames.owner: the program; beyond, a library
