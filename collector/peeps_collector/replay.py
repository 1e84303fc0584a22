# SPDX-License-Identifier: Apache-2.0
"""At start: what an earlier run has acknowledged and not stored is decoded again from the journal, and stored."""

from __future__ import annotations

from pathlib import Path

import duckdb

from .decode.redaction import Redaction
from .diagnose import Diagnosis, IncrementalDiagnoser
from .graph.findings import FindingRegistry
from .graph.live import LiveGraph
from .pipeline import Pipeline
from .receive.journal import Journal
from .receive.request import Budget
from .store.buffer import RowBuffer
from .store.database import Database
from .store.file import end_what_was_open
from .store.writer import Writer


def replay(
    database: Database, journal: Journal, rows: RowBuffer, writer: Writer, redaction: Redaction | None = None
) -> list[str]:
    """Before anything is received. Returns warnings. The graph that it makes is history: who is alive will say so."""
    live = LiveGraph(rows)
    findings = FindingRegistry(live, rows, [])
    pipeline = Pipeline(
        Budget(1), live, findings, Diagnosis(live, findings, IncrementalDiagnoser()), rows, redaction=redaction
    )
    position, count = writer.position, 0
    for entry in journal.read():
        if entry.number not in position:
            pipeline.replay(entry)
            count += 1
            if rows.full:
                writer.flush()
    journal.last = max(journal.last, position.highest)
    writer.flush(reached=journal.last)
    warnings = list(journal.warnings)
    if writer.failure:
        return [*warnings, f"{count} requests of the journal could not be stored yet: {writer.failure}"]
    if count:
        try:
            end_what_was_open(database.connection)
        except duckdb.Error as error:
            return [*warnings, f"the end of what was open could not be stored: {error}"]
    journal.set_aside()
    return warnings


def journal_of(database: str, limit: int) -> Journal:
    """The journal lies beside the database file."""
    return Journal(Path(f"{database}.journal"), limit)
