# SPDX-License-Identifier: Apache-2.0
"""The raw figures: what each run of each mode gave, in the order of the runs, as kept in `results/cost-*.json`."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import NamedTuple, TypedDict

from .modes import BASELINE


class Sample(TypedDict):
    """One run. `visit`: runs of the same number followed each other, with nothing between them."""

    visit: int
    mode: str
    figures: dict[str, float]


class GroupResult(TypedDict):
    """`failed`: modes that could not be measured, with the reason."""

    date: str
    samples: list[Sample]
    failed: dict[str, str]


class Results(TypedDict):
    """Of one version of Python."""

    python: str
    machine: str
    groups: dict[str, GroupResult]


class Spread(NamedTuple):
    median: float
    least: float
    most: float
    runs: int


def spread(values: list[float]) -> Spread | None:
    return Spread(statistics.median(values), min(values), max(values), len(values)) if values else None


def values(group: GroupResult | None, mode: str, figure: str) -> list[float]:
    samples = [] if group is None else group["samples"]
    return [sample["figures"][figure] for sample in samples if sample["mode"] == mode and figure in sample["figures"]]


def ratios(group: GroupResult | None, mode: str, figure: str, than: str = BASELINE) -> list[float]:
    """Each run of a mode against the mean of the runs of `than` before and after it in the same visit."""
    return [one / beside for one, beside in _pairs(group, mode, figure, than)]


def differences(group: GroupResult | None, mode: str, figure: str, than: str) -> list[float]:
    return [one - beside for one, beside in _pairs(group, mode, figure, than)]


def _pairs(group: GroupResult | None, mode: str, figure: str, than: str) -> list[tuple[float, float]]:
    samples = [] if group is None else group["samples"]
    found: list[tuple[float, float]] = []
    for position, sample in enumerate(samples):
        if sample["mode"] != mode or figure not in sample["figures"]:
            continue
        beside = [_nearest(samples[position - 1 :: -1] if position else [], sample["visit"], figure, than)]
        beside.append(_nearest(samples[position + 1 :], sample["visit"], figure, than))
        known = [value for value in beside if value is not None]
        if known:
            found.append((sample["figures"][figure], statistics.mean(known)))
    return found


def _nearest(samples: list[Sample], visit: int, figure: str, mode: str) -> float | None:
    """Of the nearest run of the mode in the visit."""
    for sample in samples:
        if sample["visit"] != visit:
            return None
        if sample["mode"] == mode:
            return sample["figures"].get(figure)
    return None


def read(path: Path) -> Results:
    return json.loads(path.read_text())


def read_all(folder: Path) -> dict[str, Results]:
    """By minor version, for example `3.12`."""
    found = [read(path) for path in folder.glob("cost-*.json")]
    return {".".join(one["python"].split(".")[:2]): one for one in found}


def write(path: Path, results: Results) -> None:
    path.write_text(json.dumps(results, indent=1) + "\n")
