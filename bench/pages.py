# SPDX-License-Identifier: Apache-2.0
"""How long the explorer's pages take, and what viewers cost: `python -m bench.pages [--nodes 500] [--viewers 10]`.

A collector, a program of that many tasks with a ring among them, an explorer and Chromium. Cold: a new browser context
for each visit, until the picture or table is drawn. Switching: a click in the navigation until the other page is drawn.
Viewers: half of them on the verdict, half on the graph; processor time of collector and explorer, less what they use
without anybody. Times by the clock mean something on a quiet machine alone; the load is printed.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.explorer import chromium, running_explorer

from .history import collector
from .steady import cpu_ns

_PROGRAM = """
import asyncio
async def waits(gate): await gate.wait()
async def ring(mine, next):
    async with mine:
        await asyncio.sleep(0.1)
        async with next: pass
async def main(count):
    locks = [asyncio.Lock() for _ in range(3)]
    gates = [asyncio.Event() for _ in range(count // 10)]
    tasks = [asyncio.create_task(ring(locks[n], locks[(n + 1) % 3]), name=f"ring-{n}") for n in range(3)]
    tasks += [asyncio.create_task(waits(gates[n % len(gates)]), name=f"waits-{n}") for n in range(count)]
    await asyncio.wait(tasks)
import sys
asyncio.run(main(int(sys.argv[1])))
"""
_DRAWN = {
    "": ".wg[data-ready] [data-id]",
    "graph": ".wg[data-ready] [data-id]",
    "tables": "[data-testid=stDataFrame] canvas",
    "history": ".pp-time",
}
_TITLES = {"": "Verdict", "graph": "Graph", "tables": "Tables", "history": "History"}
_PATIENCE_MS = 60_000


def timed(run: Callable[[], object], times: int) -> str:
    took: list[float] = []
    for _ in range(times):
        begun = time.monotonic()
        run()
        took.append(time.monotonic() - begun)
    return f"{statistics.median(took):.2f} s (worst {max(took):.2f})"


def visit(browser: Any, address: str, path: str) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.goto(f"{address}/{path}{'?stuck=false' if path == 'graph' else ''}")
    page.locator(_DRAWN[path]).first.wait_for(timeout=_PATIENCE_MS)
    context.close()


def switch(page: Any, path: str) -> None:
    page.locator("[data-testid=stTopNavLink]").filter(has_text=_TITLES[path]).click()
    page.locator(_DRAWN[path]).first.wait_for(timeout=_PATIENCE_MS)


def cost(pids: dict[str, int], seconds: float) -> dict[str, float]:
    """Percent of a core."""
    before, begun = {name: cpu_ns(pid) for name, pid in pids.items()}, time.monotonic()
    time.sleep(seconds)
    passed = time.monotonic() - begun
    return {name: (cpu_ns(pid) - before[name]) / 1e7 / passed for name, pid in pids.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=500)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--viewers", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=20)
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="peeps-pages-")))
        (directory / "program.py").write_text(_PROGRAM)
        collecting, otlp, api = stack.enter_context(collector(directory))
        watched = subprocess.Popen(
            ["opentelemetry-instrument", sys.executable, "program.py", str(options.nodes)],
            cwd=directory,
            env=os.environ
            | {"PEEPS_COLLECTOR_ENDPOINT": otlp, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        )
        stack.callback(watched.wait)
        stack.callback(watched.kill)
        address, explorer = stack.enter_context(running_explorer(api))
        browser = stack.enter_context(chromium())
        visit(browser, address, "")  # what the first one loads, and until the ring is found
        print(f"{options.nodes} tasks, load {os.getloadavg()[0]:.1f}")
        for path, title in _TITLES.items():
            print(f"cold, {title}: {timed(lambda path=path: visit(browser, address, path), options.times)}", flush=True)
        page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
        page.goto(address)
        page.locator(_DRAWN[""]).first.wait_for(timeout=_PATIENCE_MS)
        for path in ("graph", "tables", "history", ""):  # each has been seen once
            switch(page, path)
        for path, title in _TITLES.items():
            other = "history" if path == "" else ""
            took: list[float] = []
            for _ in range(options.times):
                switch(page, other)
                begun = time.monotonic()
                switch(page, path)
                took.append(time.monotonic() - begun)
            print(f"to {title}: {statistics.median(took):.2f} s (worst {max(took):.2f})", flush=True)
        page.context.close()
        pids = {"collector": collecting, "explorer": explorer.pid}
        time.sleep(3)
        alone = cost(pids, options.seconds)
        for number in range(options.viewers):
            browser.new_context().new_page().goto(f"{address}/{'graph' if number % 2 else ''}")
        time.sleep(8)
        seen = cost(pids, options.seconds)
        told = ", ".join(f"{name} {alone[name]:.1f} % + {seen[name] - alone[name]:.1f} %" for name in pids)
        print(f"{options.viewers} viewers: {told} of a core, load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
