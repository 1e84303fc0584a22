# SPDX-License-Identifier: Apache-2.0
"""What we promise and whether it is kept, a line for each target: the rows of the page that have a verdict."""

from __future__ import annotations


def promises(page: str) -> str:
    """A table of the rows with a target, of the version for which it holds; nothing is left out that was missed."""
    rows: list[str] = []
    subject = above = ""
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        if len(cells) > 1 and "target" in cells:
            subject = cells[0].partition(":")[0] if ":" in cells[0] else ""
        elif cells:
            continued = cells[0].removeprefix("… ")
            title = f"{above}, {continued}" if continued != cells[0] else cells[0]
            above = above if continued != cells[0] else cells[0].partition(":")[0].removesuffix(", at full speed")
            rows += _row(f"{subject}: {title}" if subject else title, cells)
    return "\n".join(["| promise | target | measured |  |", "| --- | --: | --: | --: |", *rows]) + "\n"


def _row(title: str, cells: list[str]) -> list[str]:
    judged = next((at for at, cell in enumerate(cells) if cell == "met" or cell.startswith("**missed")), None)
    if judged is None:
        return []
    target = next(cell for cell in cells if cell.startswith("≤"))
    return [f"| {title} | {target} | {cells[judged - 1].partition(' (')[0]} | {cells[judged]} |"]
