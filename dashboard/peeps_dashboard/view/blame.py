# SPDX-License-Identifier: Apache-2.0
"""The table of whose code made others wait."""

from __future__ import annotations

from ..api import Blame
from . import ages
from .columns import Table


def table(answer: Blame) -> Table:
    """Most first. `itself`: of that, what was not passed on from somebody else it waited for."""
    rows, total = answer["rows"], max(answer["total_ns"], 1)
    return {
        "where the time went": [row["holder_short"] for row in rows],
        "share": [row["ns"] / total for row in rows],
        "others waited": [ages.amount(row["ns"]) for row in rows],
        "for itself": [ages.amount(row["direct_ns"]) for row in rows],
        "waits": [row["waits"] for row in rows],
        "for what": [", ".join(row["resources"][:3]) for row in rows],
        "most of them at": [row["waiters"][0]["site_short"] if row["waiters"] else None for row in rows],
    }
