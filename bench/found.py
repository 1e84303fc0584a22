# SPDX-License-Identifier: Apache-2.0
"""How long after a program got stuck its finding can be read: `python -m bench.found [ROUNDS]`.

The examples that get stuck by locks, a channel and requests, each in fresh processes under a collector of its own, all
settings at their default. Stuck since: what the finding says of itself, by the program's clock, which is ours too.
Read: the moment at which `/api/findings` shows it; asked 20 times a second. Prints a line for each finding.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections import defaultdict

from .cuts import ask, collector_of_its_own, watched_program
from .modes import ROOT

_EXAMPLES = {
    "lock-order-deadlock": {"deadlock"},
    "channel-full-stall": {"channel_full"},
    "fastapi-two-way-deadlock": {"deadlock"},
}
_PATIENCE_S = 60.0
_POLL_S = 0.05


def _found(example: str, kinds: set[str]) -> tuple[str, float]:
    """The first finding of these kinds, as level and kind, and its seconds from stuck to read."""
    program = ROOT / "examples" / f"{example}.py"
    with collector_of_its_own() as addresses, watched_program(program, addresses):
        patience = time.monotonic() + _PATIENCE_S
        while time.monotonic() < patience:
            for finding in ask(addresses["api"], "/api/findings")["findings"]:
                if finding["kind"] in kinds:
                    return f"{finding['level']} {finding['kind']}", time.time() - finding["since_ns"] / 1e9
            time.sleep(_POLL_S)
    return "nothing was found", _PATIENCE_S


def main(rounds: int = 5) -> None:
    for example, kinds in _EXAMPLES.items():
        waits: dict[str, list[float]] = defaultdict(list)
        for _ in range(rounds):
            told, seconds = _found(example, kinds)
            waits[told].append(seconds)
        for told, all_s in waits.items():
            print(
                f"{example}: {told}: median {statistics.median(all_s):.1f} s, most {max(all_s):.1f} s of {len(all_s)}"
            )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
