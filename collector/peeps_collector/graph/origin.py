# SPDX-License-Identifier: Apache-2.0
"""Of whom a finding is that a process has sent: every log record can be sent under any name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from peeps_otel.model import Finding
from peeps_otel.model.seal import is_sealed

from ..decode.canonical import Rejected
from ..decode.logs import FindingRecord
from .live import LiveGraph
from .process import Process


def sealed_by(process: str, processes: Mapping[str, Process], fits: Callable[[int], bool]) -> str | None:
    """Of `process` and the forked copies under its name, the one whose stream's secret fits a seal; None where none
    does. Where there is no stream with a secret the name is believed."""
    bound = {
        key: one.secret
        for key, one in processes.items()
        if one.secret and (key == process or key.startswith(f"{process}/"))
    }
    return process if not bound else next((key for key, secret in bound.items() if fits(secret)), None)


def reporter_of(process: str, record: FindingRecord, processes: Mapping[str, Process]) -> str:
    """The process that tells it: `process`, or the forked copy under its name whose stream has sealed it. Where there
    is no stream with a secret the name is believed. Raises Rejected."""
    teller = sealed_by(
        process, processes, lambda secret: is_sealed(record.seal, secret, record.finding, record.state, record.time_ns)
    )
    if teller is not None:
        return teller
    raise Rejected(
        f"finding {record.finding.id[:80]}: peeps.finding.seal is missing or wrong, so it is not from the process that "
        "sends the snapshots under this name"
    )


def check_members(reporter: str, finding: Finding, live: LiveGraph) -> None:
    """A process speaks of its own nodes. Of others the collector speaks, which sees them. A forked copy of the reporter
    is no other. Raises Rejected."""
    named = {*finding.core, *finding.cycle, *finding.blocked, *finding.examples}
    for link in finding.evidence:
        named.update(node for node in (link.waiter, link.resource, link.holder) if node)
    for node, (owner, _) in live.find(named).items():
        if not is_own(owner, reporter):
            raise Rejected(f"finding {finding.id[:80]}: its member {node} is of another process")


def is_own(owner: str, reporter: str) -> bool:
    return owner == reporter or owner.startswith(f"{reporter}/")
