# SPDX-License-Identifier: Apache-2.0
"""`python -m tests.refutation --programs 100000 --seed 1`: random programs against the engine."""

from __future__ import annotations

import argparse
import json
import random
import sys
import time

from .generator import parts, program
from .house import House, Tally


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.refutation", description=__doc__)
    parser.add_argument("--programs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=None, help="of the first program; the others follow it")
    parser.add_argument("--at-once", type=int, default=8)
    parser.add_argument("--heap", type=float, default=0.03, help="share of looks that ask the heap, too")
    parser.add_argument("--only", default="", help="one kind of scene, such as ring")
    parser.add_argument("--show", action="store_true", help="print the program of the seed and what comes of it")
    parser.add_argument("--shrink", action="store_true", help="leave out of a refuted program what is not needed")
    parser.add_argument("--json", action="store_true", help="the sums as one line of JSON at the end")
    parser.add_argument("--credulous", action="store_true", help="take every wait for a deadlock: must be refuted")
    given = parser.parse_args()
    seed = random.SystemRandom().randrange(1 << 31) if given.seed is None else given.seed
    house = House(given.at_once, given.heap, given.only, given.show, given.credulous)
    if given.show:
        print(program(seed, given.only).text)
        for _, results in house.results([seed]):
            print(json.dumps(results, indent=1))
        return 0
    if given.shrink:
        print(program(seed, given.only, _shrunk(house, seed, given.only)).text)
        return 0
    print(f"seed {seed}", flush=True)
    tally, began = Tally(), time.monotonic()
    try:
        for one, results in house.results(range(seed, seed + given.programs)):
            if not any(result["generation"] == 0 for result in results):
                tally.hung.append(one)
                print(f"seed {one}: hung\n{house.stacks}", flush=True)
            for result in results:
                before = len(tally.refuted)
                tally.add(result)
                for _, refutation in tally.refuted[before:]:
                    print(f"seed {one}: {json.dumps(refutation)}", flush=True)
            if tally.programs and tally.programs % 200 == 0:
                print(_told(tally, time.monotonic() - began), flush=True)
    except KeyboardInterrupt:
        print("interrupted")
    print(_told(tally, time.monotonic() - began))
    if given.json:
        print(_as_json(tally))
    return 1 if tally.at("PROVEN") or len(tally.at("LIKELY")) * 1000 > max(tally.programs, 1000) else 0


def _told(tally: Tally, seconds: float) -> str:
    lines = [
        f"{tally.programs} programs, {tally.looks} looks, {seconds:.0f} s, {tally.cpu_ms / 1000:.0f} s of CPU",
        f"refuted: {len(tally.at('PROVEN'))} programs PROVEN, {len(tally.at('LIKELY'))} LIKELY; "
        f"broken from outside: {dict(tally.broken)}; behind: {dict(tally.behind)}",
        f"stuck: {tally.stuck}, of which nothing was said of {len(tally.unsaid)}: "
        f"{dict(tally.unsaid_kinds.most_common(8))}; "
        f"of {tally.asked} such the heap was asked too: nothing of {tally.unsaid_by_heap}; such as {tally.unsaid[:8]}",
        f"said: {dict(tally.said.most_common())}",
        f"hung: {tally.hung[:8]}, failed: {tally.failed[:8]}",
    ]
    return "\n".join(lines)


def _as_json(tally: Tally) -> str:
    return json.dumps(
        {
            "programs": tally.programs,
            "refuted_proven": tally.at("PROVEN"),
            "refuted_likely": tally.at("LIKELY"),
            "stuck": tally.stuck,
            "unsaid": tally.unsaid,
            "said": dict(tally.said),
            "hung": tally.hung,
            "failed": tally.failed,
        }
    )


def _shrunk(house: House, seed: int, only: str) -> frozenset[str]:
    """What can be left out while something is still refuted, in one of 8 runs."""
    without: frozenset[str] = frozenset()
    for part in parts(seed, only):
        smaller = without | {part}
        for _ in range(8):
            found = [
                r for _, results in house.results([seed], smaller) for one in results for r in one.get("refuted", [])
            ]
            if any(not one["broken"] and not one["behind"] for one in found):
                without = smaller
                break
    return without


if __name__ == "__main__":
    sys.exit(main())
