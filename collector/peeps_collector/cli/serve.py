# SPDX-License-Identifier: Apache-2.0
"""`peeps up` and `peeps collector`: runs until SIGINT or SIGTERM, then ends everything it started."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from .. import log_lines
from ..access import AccessError
from ..collector import AddressTaken, Collector
from ..config import Config
from ..lake.roles import role_of
from ..lake.settings import LakeError
from ..role import Role
from ..store.arrow import leave_pandas_out
from ..store.database import Database
from ..store.file import StoreError

_EXPLORER = "peeps_dashboard"


def serve(
    config: Config,
    *,
    explorer: bool,
    ready_file: str | None,
    role: Callable[[Config, Database], Role] = role_of,
) -> int:
    """0 after a clean end, 2 where it could not start. `explorer`: start it too, if it is installed."""
    log_lines.set_up(config.log_json)
    leave_pandas_out()
    try:
        collector = Collector(config, role=role)
    except (StoreError, AccessError, LakeError) as error:
        print(f"peeps: {error}", file=sys.stderr)
        return 2
    if sys.platform == "win32":
        runner = asyncio.Runner()
    else:
        import uvloop

        runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    with runner:
        return runner.run(_run(collector, explorer, ready_file))


async def _run(collector: Collector, explorer: bool, ready_file: str | None) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def end(_number: int, _frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(stop.set)

    for number in (signal.SIGINT, signal.SIGTERM):
        if sys.platform == "win32":
            signal.signal(number, end)
        else:
            loop.add_signal_handler(number, stop.set)
    child: subprocess.Popen[bytes] | None = None
    try:
        await collector.start()
        child = _start_explorer(collector) if explorer else None
        _announce(collector, child is not None, explorer)
        if ready_file is not None:
            _write_ready(Path(ready_file), collector)
        await stop.wait()
        return 0
    except AddressTaken as error:
        print(f"peeps: {error}", file=sys.stderr)
        return 2
    finally:
        if child is not None:
            await asyncio.to_thread(_stop_explorer, child)
        await collector.stop()


def _announce(collector: Collector, shown: bool, wanted: bool) -> None:
    if collector.config.is_recording:
        shows = f"explorer http://{collector.config.explorer}" if shown else "no explorer"
        print(f"peeps: opened, {shows}, query API http://{collector.api}; Ctrl-C ends it", flush=True)
        return
    addresses = collector.addresses()
    print(f"peeps collector  OTLP on {', '.join(dict.fromkeys(addresses['grpc'] + addresses['http']))} (gRPC and HTTP)")
    scheme = "http" if collector.config.tls is None else "https"
    print(f"                 query API {scheme}://{collector.api}  database {collector.config.database}")
    endpoint = collector.listen if scheme == "http" else f"https://{collector.listen}"
    if shown:
        print(f"peeps explorer   http://{collector.config.explorer}")
    elif wanted:
        print("peeps explorer   not installed (pip install peeps-dashboard)")
    print(f"watch a program  PEEPS_COLLECTOR_ENDPOINT={endpoint} opentelemetry-instrument python app.py")
    for warning in collector.warnings:
        print(f"peeps: warning: {warning}", file=sys.stderr)
    sys.stdout.flush()


def _start_explorer(collector: Collector) -> subprocess.Popen[bytes] | None:
    if importlib.util.find_spec(_EXPLORER) is None:
        return None
    config = collector.config
    address = collector.api if config.tls is None else f"https://{collector.api}"
    environment = os.environ | {"PEEPS_API": address, "PEEPS_HTTP": str(config.explorer), "PEEPS_TOKEN": config.token}
    environment.pop("PEEPS_TOKEN_FILE", None)  # it has been read
    if config.tls is not None:
        environment |= {"PEEPS_TLS_CERT": config.tls.cert, "PEEPS_TLS_KEY": config.tls.key}
    return subprocess.Popen(
        [sys.executable, "-m", "peeps_collector.cli.run_until_parent_exits", sys.executable, "-m", _EXPLORER],
        stdin=subprocess.PIPE,
        env=environment,
    )


def _stop_explorer(child: subprocess.Popen[bytes]) -> None:
    if child.stdin is not None:
        child.stdin.close()
    try:
        child.wait(8)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _write_ready(path: Path, collector: Collector) -> None:
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(collector.addresses()))
    part.replace(path)  # a reader sees all of it or nothing
