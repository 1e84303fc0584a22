# SPDX-License-Identifier: Apache-2.0
"""What decoding yields for ordinary telemetry: a few rows at a time, so that others may have their turn in between."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..store.schema import Row
from .resource import ProcessInfo

AT_ONCE = 200


@dataclass(slots=True)
class Decoded:
    """Rows of one process, at most 200, and why some records are not among them. `batch`: more of them, as an Arrow
    record batch."""

    process: ProcessInfo
    rows: list[Row] = field(default_factory=list[Row])
    rejected: list[str] = field(default_factory=list[str])
    batch: Any = None

    @property
    def full(self) -> bool:
        return len(self.rows) + len(self.rejected) >= AT_ONCE

    def __len__(self) -> int:
        """Rows to store."""
        return len(self.rows) + (0 if self.batch is None else self.batch.num_rows)

    def reject(self, what: str, why: str) -> None:
        self.rejected.append(f"process {self.process}: {what[:80]} is not stored: {why}")
