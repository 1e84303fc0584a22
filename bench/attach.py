# SPDX-License-Identifier: Apache-2.0
"""Attaches again and again to programs under load, with the tool killed at random moments if wanted, and asks them in
the end whether all was right: `python -m bench.attach --python PYTHON --times 125 [--kill] [PROGRAM ...]`."""

from __future__ import annotations

import argparse
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from peeps_otel.attach.refused import Refused
from peeps_otel.attach.visit import Visitor
from tests.support.waiting import eventually

from .attach_programs import PROGRAMS

STAGES = ("stopped", "write", "before", "after")
_COMES_TO_LIFE = """
import marshal
def run(request, frame):
    return marshal.dumps({"states": {}}, 2)
"""
_PATIENCE_S = 0.5
_END_S = 60.0
_KILLED_WITHIN_S = 0.12
_HUNG_S = 90.0
_WHOLE_EVERY = 10  # one attach of so many looks and tells; the others make the copy and hear of it


@dataclass
class Storm:
    """What came of it. `end`: `right` and 0, or what else the program said. `left`: copies that have not gone."""

    program: str
    tries: int = 0
    done: int = 0
    killed: int = 0
    hung: int = 0
    refused: Counter[str] = field(default_factory=Counter[str])
    away_ms: list[float] = field(default_factory=list[float])
    end: str = ""
    left: int = 0

    @property
    def fine(self) -> bool:
        return self.end == "right" and not self.left and not self.hung

    def __str__(self) -> str:
        away = sorted(self.away_ms)
        told = f"{statistics.median(away):.1f}/{away[-1]:.0f}" if away else "-"
        why = "; ".join(f"{count} x {reason}" for reason, count in self.refused.most_common(2))
        return (
            f"{self.program:11} tries {self.tries:4} done {self.done:4} killed {self.killed:4} hung {self.hung} "
            f"program {self.end} copies left {self.left} away ms median/max {told} {why}"
        )


def storm(python: str, program: str, times: int, *, kill: bool = False, seed: int = 0) -> Storm:
    """`times` attaches to one program. With `kill`, each by a process of its own that is killed: every other time at
    one of the stages of the attach itself, else at any moment."""
    found, chance = Storm(program), random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        stop = Path(folder, "stop")
        script = Path(__file__).with_name("attach_programs.py")
        command = [python, "-I", str(script), program, str(stop)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert process.stdout is not None
        process.stdout.readline()
        try:
            for number in range(times):
                if process.poll() is not None:
                    break
                found.tries += 1
                if kill:
                    _killed(found, process.pid, chance, at_stage=number % 2 == 0)
                else:
                    _visit(found, process.pid, whole=number % _WHOLE_EVERY == 0)
            time.sleep(0.2)
            stop.touch()
            try:
                said, _ = process.communicate(timeout=_END_S)
                right = process.returncode == 0 and f"\n{said}".splitlines()[-1].startswith("right ")
                found.end = "right" if right else f"ended with {process.returncode}: {said[-500:]}"
            except subprocess.TimeoutExpired:
                found.end = "HUNG"
        finally:
            process.kill()
            process.communicate()
        found.left = _left(script, stop)
    return found


def _visit(found: Storm, pid: int, *, whole: bool) -> None:
    visitor = Visitor(pid)
    if not whole:
        visitor.loader = _COMES_TO_LIFE
    try:
        visit = visitor.visit(_PATIENCE_S)
    except Refused as error:
        found.refused[str(error).partition(" (")[0][-90:]] += 1
        return
    found.done += 1
    if visit.away_ms is not None:
        found.away_ms.append(visit.away_ms)


def _killed(found: Storm, pid: int, chance: random.Random, *, at_stage: bool) -> None:
    stage = chance.choice(STAGES) if at_stage else ""
    tool = os.fork()
    if tool == 0:
        try:
            visitor = Visitor(pid, lambda now: os.kill(os.getpid(), signal.SIGKILL) if now == stage else None)
            visitor.loader = _COMES_TO_LIFE
            visitor.visit(_PATIENCE_S)
            os._exit(0)
        finally:
            os._exit(1)
    if not at_stage:
        time.sleep(chance.random() * _KILLED_WITHIN_S)
        os.kill(tool, signal.SIGKILL)
    end_s = time.monotonic() + _HUNG_S
    while time.monotonic() < end_s:
        ended, status = os.waitpid(tool, os.WNOHANG)
        if ended:
            found.done += status == 0
            found.killed += os.WIFSIGNALED(status)
            return
        time.sleep(0.002)
    os.kill(tool, signal.SIGKILL)
    os.waitpid(tool, 0)
    found.hung += 1


def _left(script: Path, stop: Path) -> int:
    """Copies have the command line of the program. A hung one whose tool was killed is ended by the kernel."""
    line = f"{script}\0".encode()

    def living() -> int:
        count = 0
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                try:
                    words = (folder / "cmdline").read_bytes()
                except OSError:
                    continue
                count += line in words and str(stop).encode() in words
        return count

    try:
        eventually(lambda: not living(), seconds=70)
    except AssertionError:
        return living()
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", nargs="*", metavar="PROGRAM", help=f"of {', '.join(PROGRAMS)}")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--times", type=int, default=125, help="attaches to each program")
    parser.add_argument("--kill", action="store_true", help="the tool, at random moments")
    options = parser.parse_args()
    fine = True
    for program in options.program or PROGRAMS:
        found = storm(options.python, program, options.times, kill=options.kill)
        print(found, flush=True)
        fine = fine and found.fine
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
