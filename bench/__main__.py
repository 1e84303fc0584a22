# SPDX-License-Identifier: Apache-2.0
"""`bench/run`: measures, writes the raw figures and the page of tables."""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
from pathlib import Path

from . import instructions
from .groups import KINDS, LOOKS_GROUP, OPERATIONS_GROUP, PEERS_GROUP, SERVERS_GROUP, STARTS_GROUP, Bench, Group
from .loops import ASYNCIO, UVLOOP
from .processes import Failed, collector
from .publish import RESULTS, publish, write_page
from .rounds import visit_all
from .samples import GroupResult, Results, read, write
from .steady import processors


def main() -> int:
    options = _options()
    options.results.mkdir(parents=True, exist_ok=True)
    if options.publish:
        publish(options.results)
        return 0
    if options.instructions:
        for python in options.python:
            print(instructions.count(python, options.results))
        return 0
    failed = False
    jobs = [(python, False) for python in options.python if set(options.only) - {PEERS_GROUP}]
    jobs += [(python, True) for python in options.peers_python if PEERS_GROUP in options.only]
    with collector(processors()[1]) as dashboard:
        for python, for_peers in jobs:
            bench = Bench(python, dashboard, options.seconds, tuple(options.loops))
            groups = bench.peers() if for_peers else _groups(bench, options.only)
            kept = _Kept(python, options.results)
            results = visit_all(groups, 60 * options.minutes / len(jobs), options.visits, kept.keep)
            failed |= not for_peers and any(result["failed"] for result in results.values())
    print(write_page(options.results))
    return 1 if failed else 0


def _groups(bench: Bench, only: list[str]) -> list[Group]:
    makers = {
        OPERATIONS_GROUP: bench.operations,
        SERVERS_GROUP: bench.servers,
        LOOKS_GROUP: bench.looks,
        STARTS_GROUP: bench.starts,
    }
    return [group for kind, make in makers.items() if kind in only for group in make()]


class _Kept:
    """The file of one version of Python. Groups that are not measured now stay as they were."""

    def __init__(self, python: Path, folder: Path) -> None:
        version = subprocess.check_output([python, "-c", "import platform as p; print(p.python_version())"], text=True)
        version = version.strip()
        self._path = folder / f"cost-{'.'.join(version.split('.')[:2])}.json"
        groups = read(self._path)["groups"] if self._path.exists() else {}
        machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors"
        self._results = Results(python=version, machine=machine, groups=groups)

    def keep(self, name: str, result: GroupResult) -> None:
        self._results["groups"][name] = result
        write(self._path, self._results)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench/run", description=__doc__)
    here = Path(sys.executable)
    parser.add_argument(
        "--python", type=_executable, action="append", help="of the measured programs; repeatable; has peeps-otel"
    )
    parser.add_argument(
        "--peers-python", type=_executable, action="append", default=[], help="has other tools installed; repeatable"
    )
    parser.add_argument("--minutes", type=float, default=25.0, help="in all; each thing is measured at least once")
    parser.add_argument("--visits", type=int, default=0, help="at most so many of each thing; 0: as time allows")
    parser.add_argument("--seconds", type=float, default=5.0, help="of loading a server in one run")
    parser.add_argument("--only", type=_Several(KINDS), default=list(KINDS), help=",".join(KINDS))
    parser.add_argument("--loops", type=_Several((ASYNCIO, UVLOOP)), default=[ASYNCIO, UVLOOP])
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the raw figures and the tables")
    parser.add_argument("--instructions", action="store_true", help="count instructions instead; needs valgrind")
    parser.add_argument("--publish", action="store_true", help="measure nothing; make the page and copy it")
    options = parser.parse_args()
    options.python = options.python or [here]
    return options


def _executable(text: str) -> Path:
    """Not resolved: the link in a virtual environment is what makes it one."""
    path = Path(text).absolute()
    if not path.exists():
        raise argparse.ArgumentTypeError(f"there is no {path}")
    return path


class _Several:
    """Parses `a,b`."""

    def __init__(self, known: tuple[str, ...]) -> None:
        self._known = known

    def __call__(self, text: str) -> list[str]:
        words = text.split(",")
        for word in words:
            if word not in self._known:
                raise argparse.ArgumentTypeError(f"{word} is none of {', '.join(self._known)}")
        return words


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except (Failed, ValueError, OSError) as error:
        print(f"bench: {error}", file=sys.stderr)
        raise SystemExit(1) from None
