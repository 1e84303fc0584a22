# SPDX-License-Identifier: Apache-2.0
"""States of a call: two while it is in flight, and the one with which it ends."""

from __future__ import annotations

from typing import Final

PENDING: Final = "pending"
DETACHED: Final = "detached"
"""Of a request: the task that made it has ended, and it has not."""
OK, ERROR, CANCELLED = "ok", "error", "cancelled"
LOST: Final = "lost"
"""Its process, or its span, is gone without a word of its end."""
ENDS: Final = frozenset({OK, ERROR, CANCELLED, LOST})
