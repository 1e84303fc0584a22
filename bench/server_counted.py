# SPDX-License-Identifier: Apache-2.0
"""What we add to a request of the servers of `bench/run`, counted: bytecode instructions of the server's thread.

`python -m bench.server_counted [beyond] [REQUESTS [KIND…]]`: prints, publishes nothing: under
`opentelemetry-instrument` with us off and on, and the functions that differ most. A machine that others use too changes
nothing. One request at a time, so that all of them are within the allowance of what is recorded in detail: it is the
dearest case; with `beyond` none is, nor waits anything for long, as in a server at full load. What C functions do is
not counted, nor what our own threads do, which have a budget.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from .loops import ASYNCIO
from .modes import OTEL, PEEPS, ROOT, started
from .processes import Failed, collector
from .report_line import told
from .request_work import BODY
from .server_worker import SERVERS
from .steady import processors
from .watched import BEYOND

_WARM = 300
_NOTED_S = 0.5  # until a signal is acted on
_SHOWN = 12


@contextmanager
def _http(port: int) -> Generator[Callable[[], object]]:
    with socket.create_connection(("127.0.0.1", port)) as connection:

        def ask() -> None:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: bench\r\n\r\n")
            answer = b""
            while not answer.endswith(b"\r\n\r\n" + BODY):
                received = connection.recv(65536)
                if not received:
                    raise Failed("the server ended the connection")
                answer += received

        yield ask


@contextmanager
def _grpc(port: int) -> Generator[Callable[[], object]]:
    import grpc

    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        method = cast("Any", channel).unary_unary("/bench.Work/Answer")
        yield lambda: method(b"", wait_for_ready=True)


def _counted(mode: str, address: str, kind: str, requests: int) -> dict[str, float]:
    """Instructions per request, by function."""
    server = started(mode, Path(sys.executable), address, "bench.server_worker", mode, ASYNCIO, kind)
    process = subprocess.Popen(
        server.command, env=server.environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    try:
        figures = told(process.stdout)
        if figures is None:
            raise Failed("the server did not start")
        with (_grpc if kind == "grpc" else _http)(int(figures["port"])) as ask:
            for number in range(_WARM + requests):
                if number == _WARM:
                    os.kill(process.pid, signal.SIGUSR1)
                    time.sleep(_NOTED_S)
                ask()
            os.kill(process.pid, signal.SIGUSR2)
            counted = told(process.stdout)
        if counted is None:
            raise Failed("the server ended")
        return {name: count / requests for name, count in counted.items()}
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def main(requests: int, kinds: list[str]) -> None:
    with collector(processors()[1]) as address:
        for kind in kinds:
            without, with_us = (_counted(mode, address, kind, requests) for mode in (OTEL, PEEPS))
            before, after = sum(without.values()), sum(with_us.values())
            print(f"{kind}: {before:,.0f} instructions per request without us, {after:,.0f} with", end="")
            print(f": {after / before - 1:+.1%}")
            more = {name: with_us.get(name, 0) - without.get(name, 0) for name in without | with_us}
            for name in sorted(more, key=lambda name: -abs(more[name]))[:_SHOWN]:
                print(f"  {more[name]:+8.1f}  {name}")


if __name__ == "__main__":
    arguments = sys.argv[1:]
    if arguments[:1] == ["beyond"]:
        os.environ[BEYOND] = arguments.pop(0)
    main(int(arguments[0]) if arguments else 300, arguments[1:] or list(SERVERS))
