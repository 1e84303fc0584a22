# SPDX-License-Identifier: Apache-2.0
"""Findings that are open no more: what a link in a ticket leads to."""

from __future__ import annotations

from .api import Finding, Findings
from .client import Collector, CollectorError


def over(collector: Collector, answer: Findings, wanted: str) -> Finding | None:
    """The finding with this id, where it is not among the open ones but known. May ask the collector."""
    if not wanted or any(one["id"] == wanted for one in answer["findings"]):
        return None
    try:
        return collector.finding(wanted)
    except CollectorError:
        return None
