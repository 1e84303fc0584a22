# SPDX-License-Identifier: Apache-2.0
"""Node ids live inside their process: what another process calls by an id that is taken is another node."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from peeps_otel.model.ulid import ulid_text


def adopted(node_id: str, process: str, owner: Mapping[str, str]) -> str:
    """The id under which a node of `process` is known. `owner`: the process of every node that is alive."""
    if owner.get(node_id, process) == process:
        return node_id
    kind = node_id.partition(":")[0]
    digest = hashlib.blake2b(f"{process}\n{node_id}".encode(), digest_size=16).digest()
    return f"{kind}:{ulid_text(digest)}"
