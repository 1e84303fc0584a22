# SPDX-License-Identifier: Apache-2.0
"""Words of what is said of a node because of what is known elsewhere: by whom, and what was said before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from ..model import Edge


@dataclass(slots=True)
class Party:
    """A process as far as its ends are concerned. `pid`: None where it is not known; `host`: as its resource has it."""

    key: str
    name: str
    pid: int | None
    host: str


class Turned(NamedTuple):
    """An end about which something else is said than before: its process, and its links before and after."""

    process: str
    node_id: str
    before: tuple[Edge, ...]
    after: tuple[Edge, ...]
