# SPDX-License-Identifier: Apache-2.0
"""Stuck programs are found, exactly; live ones are left in peace; on both loops, on every Python that is there."""

from __future__ import annotations

import sys

import pytest

from tests.catalogue.expectation import Entry, entries
from tests.catalogue.page import PAGE, is_told_alike, section
from tests.catalogue.running import Catalogue, Python, describe, differences, pythons

ENTRIES = entries()
RUNS = [(entry, loop, python) for python in pythons() for entry in ENTRIES for loop in entry.loops]
Run = tuple[Entry, str, Python]
_DETECT_S = 600


def _id(run: Run) -> str:
    entry, loop, python = run
    return f"{entry.shelf}-{entry.name}-{loop}-{python.version}"


def _on_the_page(run: Run) -> bool:
    """Whether what is said there is the same each time and stands on the page."""
    entry, loop, python = run
    settled = not any(finding.any_ring for finding in entry.findings) and not entry.known_miss(loop, python.version)
    return loop == "asyncio" and not entry.live and settled and python.executable == sys.executable


@pytest.mark.timeout(_DETECT_S)
@pytest.mark.parametrize("run", RUNS, ids=_id)
def test_program(run: Run, catalogue: Catalogue) -> None:
    entry, loop, python = run
    if not python.has(entry.requires):
        pytest.skip(f"Python {python.version} has no {', '.join(entry.requires)}")
    verdict = catalogue.verdict(entry, loop, python)
    said = differences(entry.findings, verdict.final)
    # A finding that came and went counts too where it would have been a false alarm.
    kinds = {member.kind for member in entry.findings}
    proven = {member.members for member in entry.findings if member.level == "PROVEN"}
    for finding in verdict.seen.values():
        alarm = entry.live and finding["level"] != "SLOW"
        if alarm or (finding["level"] == "PROVEN" and not proven):
            said.append(f"was said at some time: {describe(finding)}")
    for finding in verdict.final:
        seconds = (finding["first_seen_ns"] - finding["since_ns"]) / 1e9
        if not entry.live and finding["kind"] in kinds and seconds > entry.within_s * verdict.stretch:
            said.append(f"said after {seconds:.1f} s, not {entry.within_s} s: {finding['title']}")
    if not verdict.reported:
        said.append("the program never reported to the collector")
    if verdict.exit_code is not None:
        said.append(f"the program ended by itself with {verdict.exit_code}")
    said += [
        f"peeps complains: {line}"
        for line in verdict.output.splitlines()
        if line.startswith("peeps") and "does not take snapshots" not in line  # the collector is busy, not the probe
    ]
    reason = entry.known_miss(loop, python.version)
    if said and reason:
        pytest.xfail(reason)
    if said:
        expected = [f"{f.kind}, {f.level} of {', '.join(sorted(f.members))}" for f in entry.findings] or ["nothing"]
        pytest.fail(
            "\n".join(
                [
                    f"{entry.path} on {loop}, Python {python.version}",
                    *(f"  expected  {line}" for line in expected),
                    *(f"  found     {line}" for line in verdict.title().splitlines()),
                    *(f"  - {line}" for line in said),
                    *(f"  output    {line}" for line in verdict.output.splitlines()[-8:]),
                ]
            ),
            pytrace=False,
        )
    assert not reason, f"found as it should be; take this out of the known misses: {reason}"


def test_there_are_enough() -> None:
    """What was promised: at least 40 stuck programs, at least 30 live ones."""
    live = [entry for entry in ENTRIES if entry.live]
    assert len(live) >= 30
    assert len(ENTRIES) - len(live) >= 40


@pytest.mark.timeout(_DETECT_S)
@pytest.mark.parametrize("run", [run for run in RUNS if _on_the_page(run)], ids=_id)
def test_page_shows_what_was_said(run: Run, catalogue: Catalogue) -> None:
    entry, loop, python = run
    if not python.has(entry.requires):
        pytest.skip(f"Python {python.version} has no {', '.join(entry.requires)}")
    verdict = catalogue.verdict(entry, loop, python)
    if differences(entry.findings, verdict.final):
        pytest.skip("the verdict is not as expected, which is another test's matter")
    if not is_told_alike(verdict):
        pytest.skip("several processes: which of them is named first differs from run to run")
    assert section(entry, verdict) in PAGE.read_text(encoding="utf-8"), "run python tests/catalogue/page.py"
