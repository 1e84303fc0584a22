# SPDX-License-Identifier: Apache-2.0
"""How a measured process tells its figures: one marked line of JSON on standard output, whatever else it prints."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

_MARK = "@@figures "


def tell(figures: Mapping[str, float]) -> None:
    print(f"\n{_MARK}{json.dumps(figures)}", flush=True)


def told(lines: Iterable[str]) -> dict[str, float] | None:
    """The first such line; None where there is none."""
    for line in lines:
        if line.startswith(_MARK):
            return json.loads(line.removeprefix(_MARK))
    return None
