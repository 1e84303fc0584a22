# SPDX-License-Identifier: Apache-2.0
"""Trio: not seen yet, which is said while it runs."""

from __future__ import annotations

import sys

from ...model.coverage import blind
from ..internals.trio import trio_runs
from ..library import Support


class Trio:
    """A `Library`."""

    name = "trio"
    distribution = ""
    checked = ()

    def is_imported(self) -> bool:
        return "trio" in sys.modules

    def support(self) -> Support:
        return Support(coverage=_not_seen)


def _not_seen() -> list[str]:
    return [blind("trio runs: the tasks of its own loop are not seen")] if trio_runs() else []


TRIO = Trio()
