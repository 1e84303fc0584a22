# SPDX-License-Identifier: Apache-2.0
"""The page of tables, its copy in the document about cost, and what of it the README says; each between two markers."""

from __future__ import annotations

from pathlib import Path

from .modes import ROOT
from .promises import promises
from .samples import read_all
from .tables import page

RESULTS = ROOT / "bench" / "results"
PAGE = "cost.md"
DOCUMENT = ROOT / "docs" / "cost.md"
README = ROOT / "README.md"
BEGIN, END = "<!-- bench/results/cost.md begins -->", "<!-- bench/results/cost.md ends -->"


def write_page(folder: Path) -> str:
    """Made anew of all raw figures in the folder."""
    text = page(read_all(folder))
    (folder / PAGE).write_text(text)
    return text


def within(document: str) -> str | None:
    """What stands between the markers; None without them."""
    _, begun, rest = document.partition(BEGIN)
    text, ended, _ = rest.partition(END)
    return text if begun and ended else None


def with_page(document: str, text: str) -> str:
    old = within(document)
    if old is None:
        raise ValueError(f"there are no lines {BEGIN} and {END}")
    return document.replace(f"{BEGIN}{old}{END}", f"{BEGIN}\n\n{text}\n{END}")


def publish(folder: Path) -> None:
    text = write_page(folder)
    for document, shown in ((DOCUMENT, text), (README, promises(text))):
        document.write_text(with_page(document.read_text(), shown))
