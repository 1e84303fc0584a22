# SPDX-License-Identifier: Apache-2.0
"""The catalogue's page in the docs, from what was really said.

`python -m tests.catalogue.page` runs every stuck program, with `NAME …` only these and keeps the rest of the page.

A picture is the finding's evidence, one line for each step, with an arrow where the last leads back to the first.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.catalogue.expectation import Entry, entries
from tests.catalogue.running import Catalogue, Verdict, differences, name_of, pythons

PAGE = Path(__file__).parents[2] / "docs" / "catalogue.md"
_PORT = re.compile(r"(?<=127\.0\.0\.1):\d+")
_PID = re.compile(r"\bpid \d+")
_DESCRIPTOR = re.compile(r"\bfd \d+")
_HAS_ENDED = re.compile(r"; [^;]+ \(pid PID\), which ended with exit code \d+$")
_HEADINGS = {
    "stuck": "Stuck",
    "reported": "Stuck, after reports in the issue trackers of well-known libraries",
    "live": "Live: nothing may be said of these",
}
_HEAD = """# The catalogue

Every program here is run for real, under `opentelemetry-instrument`, on asyncio and uvloop, and must get exactly this
verdict: kind, level, members and lines. They are plain Python without a line of ours and lie in
[tests/catalogue](../tests/catalogue), each with its expected findings beside it. The re-creations rebuild the mechanism
of a reported deadlock, not its code.

This page is written by `python -m tests.catalogue.page` from the findings of a run on asyncio; a test holds the two
together.
"""


def page(sections: Mapping[Entry, str]) -> str:
    """The whole page, Markdown. `sections`: what `section` has made of each stuck program; of a live one, anything."""
    parts = [_HEAD]
    for shelf, heading in _HEADINGS.items():
        mine = [entry for entry in sections if entry.shelf == shelf]
        parts.append(f"## {heading} ({len(mine)})\n")
        if shelf == "live":
            parts.append("| program | what it does |\n|---|---|")
            parts += [f"| {_link(entry)} | {_lead(entry)} |" for entry in mine]
            parts.append("")
        else:
            parts += [sections[entry] for entry in mine]
    return "\n".join(parts).rstrip() + "\n"


def section(entry: Entry, verdict: Verdict) -> str:
    """A stuck program's part of the page."""
    kinds = {(finding.kind, finding.level) for finding in entry.findings}
    findings = [finding for finding in verdict.final if (finding["kind"], finding["level"]) in kinds]
    lines = [f"### {heading(entry)}\n", f"{_link(entry)}: {entry.summary}\n"]
    if not findings:
        reason = entry.known_miss("asyncio", pythons()[0].version)
        lines.append(f"Not found yet: {reason}\n" if reason else "**Nothing was said.**\n")
    for finding in findings:
        kind = finding["kind"].upper().replace("_", " ")
        lines.append(f"**{kind}, {finding['level']}**: {_lasting(finding['title'])}\n")
        picture = list(_picture(finding))
        if picture:
            lines += ["```text", *picture, "```\n"]
    return "\n".join(lines)


def _lasting(title: str) -> str:
    """Without what is another at each run."""
    title = _PID.sub("pid PID", _PORT.sub(":PORT", _DESCRIPTOR.sub("fd N", title)))
    return _HAS_ENDED.sub("", title)  # a process that lived for less than a look may not have been seen to end


def is_told_alike(verdict: Verdict) -> bool:
    """Whether another run says it in the same words: of several processes any may be named first, or be seen to end."""
    return all(len({node.get("process") for node in finding["nodes"].values()}) < 2 for finding in verdict.final)


def heading(entry: Entry) -> str:
    return entry.name.replace("_", " ")


def _link(entry: Entry) -> str:
    return f"[{entry.name}.py](../tests/catalogue/{entry.shelf}/{entry.name}.py)"


def _lead(entry: Entry) -> str:
    return " ".join(entry.summary.split("\n\n")[0].split())


def _picture(finding: dict[str, Any]) -> list[str]:
    """Rows of who, what he does, to what, and where; the ring begins with the first name of the alphabet."""
    steps = list(_turned(finding))
    nodes = finding["nodes"]
    rows: list[tuple[str, str, str, str]] = []
    for link in steps:
        waiter, resource = name_of(nodes, link["waiter"]), name_of(nodes, link["resource"])
        died = nodes.get(link["waiter"], {}).get("kind") == "custom"
        rows.append((waiter, "died with" if died else "waits for", resource, link["wait_source"]))
        if link["holder"] and link["holder"] != link["resource"]:
            verb = "held by" if link["hold_source"] or link["hold_since_ns"] else "needs"
            rows.append((resource, verb, name_of(nodes, link["holder"]), link["hold_source"] or ""))
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    ring = bool(finding["cycle"]) and bool(rows) and rows[-1][2] == rows[0][0]
    drawn: list[str] = []
    for number, (who, verb, whom, source) in enumerate(rows):
        rail = ""
        if ring:
            rail = "─▶ " if len(rows) == 1 else "┌▶ " if number == 0 else "└─ " if number == len(rows) - 1 else "│  "
        text = f"{rail}{who:{widths[0]}}  {verb:{widths[1]}}  {whom:{widths[2]}}  {_code(source)}"
        drawn.append(text.rstrip())
    return drawn


def _turned(finding: dict[str, Any]) -> Iterator[dict[str, Any]]:
    links = finding["evidence"]
    if not finding["cycle"] or not links:
        yield from links
        return
    first = min(range(len(links)), key=lambda number: name_of(finding["nodes"], links[number]["waiter"]))
    yield from links[first:]
    yield from links[:first]


def _code(source: str) -> str:
    """`/long/path/name.py:12` as the line's number and its code."""
    path, _, number = source.rpartition(":")
    if not path or not number.isdigit():
        return ""
    file = Path(path)
    if not file.is_relative_to(Path(__file__).parent):
        return f"{file.name}:{number}"
    code = file.read_text(encoding="utf-8").splitlines()[int(number) - 1]
    return f"line {number}: {code.partition('  # <-')[0].strip()}"


def old_sections() -> dict[str, str]:
    """The sections of the page as it is, by heading."""
    text = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    parts = [part.split("\n## ")[0].rstrip() + "\n" for part in text.split("\n### ")[1:]]
    return {part.partition("\n")[0]: f"### {part}" for part in parts}


def write(directory: Path, names: Sequence[str]) -> int:
    """Runs them, writes the page, says whose verdict is not as expected. How many those are."""
    python, old, wrong = pythons()[0], old_sections(), 0
    every = [entry for entry in entries() if python.has(entry.requires)]
    wanted = [entry for entry in every if not entry.live and (not names or entry.name in names)]
    sections = {entry: old.get(heading(entry), "") for entry in every}
    catalogue = Catalogue(directory)
    try:
        catalogue.submit((entry, "asyncio", python) for entry in wanted)
        for entry in wanted:
            verdict = catalogue.verdict(entry, "asyncio", python)
            sections[entry] = section(entry, verdict)
            for line in differences(entry.findings, verdict.final):
                print(f"{entry.name}: {line}")
                wrong += 1
    finally:
        catalogue.close()
    PAGE.write_text(page(sections), encoding="utf-8")
    return wrong


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(1 if write(Path(folder), sys.argv[1:]) else 0)
