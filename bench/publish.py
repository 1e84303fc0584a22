# SPDX-License-Identifier: Apache-2.0
"""The page of tables, and its copy in the README, between two markers."""

from __future__ import annotations

from pathlib import Path

from .modes import ROOT
from .samples import read_all
from .tables import page

RESULTS = ROOT / "bench" / "results"
PAGE = "cost.md"
README = ROOT / "README.md"
BEGIN, END = "<!-- bench/results/cost.md begins -->", "<!-- bench/results/cost.md ends -->"


def write_page(folder: Path) -> str:
    """Made anew of all raw figures in the folder."""
    text = page(read_all(folder))
    (folder / PAGE).write_text(text)
    return text


def within(readme: str) -> str | None:
    """What stands between the markers; None without them."""
    _, begun, rest = readme.partition(BEGIN)
    text, ended, _ = rest.partition(END)
    return text if begun and ended else None


def with_page(readme: str, text: str) -> str:
    old = within(readme)
    if old is None:
        raise ValueError(f"the README has no lines {BEGIN} and {END}")
    return readme.replace(f"{BEGIN}{old}{END}", f"{BEGIN}\n\n{text}\n{END}")


def publish(folder: Path) -> None:
    README.write_text(with_page(README.read_text(), write_page(folder)))
