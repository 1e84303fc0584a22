# SPDX-License-Identifier: Apache-2.0
"""How long the explorer's way back takes, with a day recorded: `python -m bench.history [--nodes 500] [--share 0.1]`.

A collector takes the snapshots of one program for some seconds; then these rows are put down again and again, each time
as much earlier, until the file has a day. Of each question: the time and the processor time of the collector, the
median and the worst of some moments; and how long a page of the explorer takes at an earlier moment (Chromium).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import statistics
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path

import duckdb

from scripts.collector_process import CollectorProcess, on_free_ports
from tests.support.explorer import chromium, running_explorer

from .ingest import Programs
from .steady import cpu_ns

_S = 1_000_000_000
_DAY_S = 86_000  # a little less than what is kept
_TABLES = {"node_change": "time_ns", "edge_change": "time_ns", "snapshot": "time_ns"}
_PAGES = {"": "the verdict", "graph": "the graph", "tables": "the tables", "history": "the history"}
_READY = "() => document.querySelector('.pp-ready') && !document.querySelector('#pp-early')"


@contextlib.contextmanager
def collector(directory: Path) -> Generator[tuple[int, str, str]]:
    """Its pid, and where it is sent to and asked."""
    ready = directory / "ready.json"
    ready.unlink(missing_ok=True)
    settings = os.environ | {"PEEPS_DB_BYTES": str(10**12)} | on_free_ports(directory / "peeps.duckdb")
    started = CollectorProcess([sys.executable, "-m", "peeps_collector"], ready, settings)
    try:
        told = started.wait()
        yield started.process.pid, told["grpc"][0], told["api"]
    finally:
        started.process.terminate()
        started.process.wait()


def fill(database: Path, recorded_s: int) -> dict[str, int]:
    """Rows of each table, then."""
    rows: dict[str, int] = {}
    with duckdb.connect(str(database)) as connection:
        for table, column in _TABLES.items():
            # In the order of time, as a collector writes them.
            connection.execute(
                f"CREATE TEMP TABLE recorded AS SELECT * FROM {table}; DELETE FROM {table};"
                f"INSERT INTO {table} SELECT r.* REPLACE (r.{column} - t.back * {recorded_s * _S} AS {column}) "
                f"FROM recorded AS r, range({_DAY_S // recorded_s}) AS t(back) ORDER BY r.{column} - t.back * "
                f"{recorded_s * _S}; DROP TABLE recorded"
            )
            found = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
            rows[table] = found[0] if found else 0
    return rows


def ask(api: str, paths: list[str], number: int) -> None:
    try:
        with urllib.request.urlopen(f"http://{api}{paths[number]}", timeout=60) as response:
            json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            print(f"{paths[number]}: {error.code} {json.load(error)['error']['message']}")


def timed(pid: int, times: int, run: Callable[[int], None]) -> str:
    """`run` gets the number of the time. Wall clock and processor time of `pid`."""
    took: list[float] = []
    cpu: list[float] = []
    for number in range(times):
        before, begun = cpu_ns(pid), time.monotonic()
        run(number)
        took.append(time.monotonic() - begun)
        cpu.append((cpu_ns(pid) - before) / 1e9)
    worst, middle = max(took), statistics.median(took)
    return f"{1000 * middle:,.0f} ms (worst {1000 * worst:,.0f}), CPU {1000 * statistics.median(cpu):,.0f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=500)
    parser.add_argument("--share", type=float, default=0.1, help="how many of them change from one second to the next")
    parser.add_argument("--recorded", type=int, default=20, help="seconds")
    parser.add_argument("--times", type=int, default=7)
    parser.add_argument("--no-browser", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="peeps-history-") as folder:
        directory = Path(folder)
        with collector(directory) as (_, otlp, _api):
            Programs(1, options.nodes, options.share, 1)(otlp, options.recorded)
            time.sleep(6)
        rows = fill(directory / "peeps.duckdb", options.recorded)
        print(
            f"{rows}, file {(directory / 'peeps.duckdb').stat().st_size / 1e6:,.0f} MB, load {os.getloadavg()[0]:.1f}"
        )
        with collector(directory) as (pid, _, api):
            time.sleep(3)
            now, chance = time.time_ns(), random.Random(4)
            moments = [now - chance.randrange(_DAY_S - 600) * _S for _ in range(options.times)]
            for name, path in _questions(moments).items():
                print(f"{name}: {timed(pid, options.times, partial(ask, api, path))}", flush=True)
            if not options.no_browser:
                pages(pid, api, moments)


def _questions(moments: list[int]) -> dict[str, list[str]]:
    """What the pages ask, by what it is called; one path for each time."""
    paths = {
        "the timeline": "/api/timeline",
        "findings": "/api/findings?at={at}",
        "a snapshot of 500": "/api/snapshot?limit=500&at={at}",
        "the table of tasks": "/api/rows?table=tasks&limit=200&at={at}",
        "a difference of 10 s": "/api/diff?from={before}&to={at}&limit=100",
    }
    return {
        name: [path.format(at=at_ns + number * _S, before=at_ns + (number - 10) * _S) for at_ns in moments]
        for number, (name, path) in enumerate(paths.items())
    }


def pages(pid: int, api: str, moments: list[int]) -> None:
    with running_explorer(api) as (address, _), chromium() as browser:
        page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
        page.goto(address)
        page.wait_for_function(_READY)
        for path, name in _PAGES.items():
            # As somebody moves on it: the page is there, and shows another moment.
            page.goto(f"{address}/{path}?at={moments[0]}")
            page.get_by_text("As it was at").first.wait_for()

            def step(number: int) -> None:
                title = "+1 s" if number % 2 else "-10 s"
                was = page.get_by_text("As it was at").first.inner_text()
                page.get_by_role("button", name=title).click()
                page.get_by_text("As it was at").first.filter(has_not_text=was.split(",")[0]).wait_for()
                page.locator("[data-testid=stStatusWidget]").wait_for(state="detached")

            print(f"a step on {name}: {timed(pid, len(moments), step)}", flush=True)


if __name__ == "__main__":
    main()
