# SPDX-License-Identifier: Apache-2.0
"""Runs one operation for `instructions`: `python -m bench.instruction_worker MODE OPERATION COUNT`."""

from __future__ import annotations

import asyncio
import gc
import sys

from .operations import OPERATIONS

OFF, BEYOND, WITHIN = "off", "beyond", "within"
"""Without us; with us, the allowance being spent; with us, each operation recorded in detail."""
_NEVER_NS = 1 << 62


def _watch(mode: str) -> None:
    from peeps_otel.probes.patches import asyncio_patch as asyncio_rewrites
    from peeps_otel.probes.patches.recorder import Recorder

    recorder = Recorder(_NEVER_NS)
    _, refused = asyncio_rewrites.install(recorder)
    if refused:
        raise SystemExit("; ".join(refused))
    for allowance in (recorder.tasks, recorder.resources, recorder.holders, recorder.wakers):
        del allowance.left[:]
        allowance.left.extend([] if mode == BEYOND else range(1, 100_001))


def main(mode: str, name: str, count: str) -> None:
    if mode != OFF:
        _watch(mode)
    gc.disable()
    asyncio.run(OPERATIONS[name].run(int(count)))


if __name__ == "__main__":
    main(*sys.argv[1:])
