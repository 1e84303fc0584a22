# SPDX-License-Identifier: Apache-2.0
"""`python -m tests.refutation --programs 100000 --seed 1`: random programs against the engine."""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from .generator import parts, program
from .house import HEAP_SHARE, TOGETHER, House, Tally
from .program import Program

_AT_A_TIME = 1000


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.refutation", description=__doc__)
    parser.add_argument("--programs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=None, help="of the first program; the others follow it")
    parser.add_argument("--together", type=int, default=TOGETHER, help="programs in a process")
    parser.add_argument("--at-once", type=int, default=3, help="processes")
    parser.add_argument("--heap", type=float, default=HEAP_SHARE, help="share of looks that ask the heap, too")
    parser.add_argument("--only", default="", help="one kind of scene, such as ring")
    parser.add_argument("--seeds", default="", help="these programs in one process, such as 3,17")
    parser.add_argument("--show", action="store_true", help="print the programs and what comes of them")
    parser.add_argument("--shrink", action="store_true", help="leave out of refuted programs what is not needed")
    parser.add_argument("--results", default="", help="a file to keep the sums in, and to go on from")
    parser.add_argument("--json", action="store_true", help="the sums as one line of JSON at the end")
    parser.add_argument("--credulous", action="store_true", help="take every wait for a deadlock: must be refuted")
    given = parser.parse_args()
    seed = random.SystemRandom().randrange(1 << 31) if given.seed is None else given.seed
    seeds = [int(one) for one in given.seeds.split(",")] if given.seeds else []
    if given.show or given.shrink:
        seeds = seeds or [seed]
        house = House(given.at_once, len(seeds), given.heap, given.show, given.credulous)
        without = _shrunk(house, seeds, given.only) if given.shrink else dict.fromkeys(seeds, frozenset[str]())
        programs = [program(one, given.only, left) for one, left in without.items()]
        for one in programs:
            print(f"# program {one.seed}\n{one.text}")
        if given.show:
            for _, results in house.results(programs):
                print(json.dumps(results, indent=1))
        return 0
    print(f"seed {seed}" if not seeds else f"seeds {given.seeds}", flush=True)
    house = House(given.at_once, len(seeds) or given.together, given.heap, False, given.credulous)
    wanted = seeds or range(seed, seed + given.programs)
    kept = Kept(given.results, [seed, given.programs, given.only]) if given.results else None
    tally, done = (Tally(), 0) if kept is None else kept.read()
    began = time.monotonic()
    try:
        while done < len(wanted):
            some = wanted[done : done + _AT_A_TIME]
            _run(house, [program(one, given.only) for one in some], tally)
            done += len(some)
            if kept is not None:
                kept.write(tally, done)
            print(_told(tally, time.monotonic() - began), flush=True)
    except KeyboardInterrupt:
        print("interrupted")
        print(_told(tally, time.monotonic() - began))
    if given.json:
        print(_as_json(tally))
    return 1 if tally.at("PROVEN") or len(tally.at("LIKELY")) * 1000 > max(tally.programs, 1000) else 0


class Kept:
    """The sums of a run, in a file, with how many of its programs they are of. `what`: which run it is."""

    def __init__(self, path: str, what: list[object]) -> None:
        self._path, self._what = Path(path), what

    def read(self) -> tuple[Tally, int]:
        """Nothing so far, where there is no such file. Raises SystemExit where it is of another run."""
        if not self._path.exists():
            return Tally(), 0
        kept = json.loads(self._path.read_text(encoding="utf-8"))
        if kept["what"] != self._what:
            raise SystemExit(f"{self._path} is of another run: seed, programs and kind are {kept['what']}")
        return Tally.read(kept["tally"]), kept["done"]

    def write(self, tally: Tally, done: int) -> None:
        new = self._path.with_suffix(".new")
        new.write_text(json.dumps({"what": self._what, "done": done, "tally": vars(tally)}), encoding="utf-8")
        new.replace(self._path)


def _run(house: House, programs: list[Program], tally: Tally) -> None:
    """All of them to their end. What is refuted or hangs is told at once."""
    for pack, results in house.results(programs):
        together = ",".join(str(one.seed) for one in pack)
        if not any(result["generation"] == 0 for result in results):
            tally.hung += [one.seed for one in pack]
            print(f"seeds {together}: hung\n{house.stacks}", flush=True)
        for result in results:
            before = len(tally.refuted)
            tally.add(result)
            for one, refutation in tally.refuted[before:]:
                print(f"seed {one}: {json.dumps(refutation)}\n  of --seeds {together}", flush=True)


def _told(tally: Tally, seconds: float) -> str:
    each = max(tally.programs, 1)
    lines = [
        f"{tally.programs} programs, {tally.looks} looks, {tally.alive / each:.1f} at each while it lived "
        f"(none at {tally.unseen}), {tally.questions} to the heap; {seconds:.0f} s, "
        f"{tally.cpu_ms / 1000:.0f} s of CPU, {tally.cpu_ms / each:.1f} ms each",
        f"judged: {dict(tally.judged)}, with nothing from outside: {dict(tally.unbroken)}",
        f"refuted: {len(tally.at('PROVEN'))} programs PROVEN, {len(tally.at('LIKELY'))} LIKELY; "
        f"broken from outside: {dict(tally.broken)}; behind: {dict(tally.behind)}",
        f"stuck: {tally.stuck}, of which nothing was said of {len(tally.unsaid)}: "
        f"{dict(tally.unsaid_kinds.most_common(8))}; "
        f"of {tally.asked} such the heap was asked too: nothing of {tally.unsaid_by_heap}; such as {tally.unsaid[:8]}",
        f"said: {dict(tally.said.most_common())}",
        f"hung: {tally.hung[:8]}, failed: {tally.failed[:8]}, errors: {dict(tally.errors)}",
    ]
    return "\n".join(lines)


def _as_json(tally: Tally) -> str:
    return json.dumps(
        {
            "programs": tally.programs,
            "looks": tally.looks,
            "alive": tally.alive,
            "refuted_proven": tally.at("PROVEN"),
            "refuted_likely": tally.at("LIKELY"),
            "stuck": tally.stuck,
            "unsaid": tally.unsaid,
            "said": dict(tally.said),
            "hung": tally.hung,
            "failed": tally.failed,
            "errors": tally.errors,
        }
    )


def _shrunk(house: House, seeds: list[int], only: str) -> dict[int, frozenset[str]]:
    """Which of these programs are needed, and what can be left out of them, while something is still refuted."""
    needed = {seed: frozenset[str]() for seed in seeds}
    for seed in seeds if len(seeds) > 1 else ():
        smaller = {one: left for one, left in needed.items() if one != seed}
        if _is_refuted(house, smaller, only):
            needed = smaller
    for seed in list(needed):
        for part in parts(seed, only):
            smaller = {**needed, seed: needed[seed] | {part}}
            if _is_refuted(house, smaller, only):
                needed = smaller
    return needed


def _is_refuted(house: House, without: Mapping[int, frozenset[str]], only: str) -> bool:
    """In one of 8 runs."""
    for _ in range(8):
        found = house.results([program(seed, only, left) for seed, left in without.items()])
        refuted = [one for _, results in found for result in results for one in result.get("refuted", [])]
        if any(not one["broken"] and not one["behind"] for one in refuted):
            return True
    return False


if __name__ == "__main__":
    sys.exit(main())
