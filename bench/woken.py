# SPDX-License-Identifier: Apache-2.0
"""What a FastAPI request calls more with us, counted: `python -m bench.woken`. It shows what has been woken up.

Calls of functions on the thread of the program, Python's and C's, per request of an instrumented application, called
without a network: with us off, with a collector endpoint, and with all of the program's telemetry forwarded; and where
all spans are sampled out, with none and with each of them recorded: what the allowance of a second gives is in between.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from types import FrameType
from typing import Any

from .modes import ROOT

_ENDPOINT = {"PEEPS_COLLECTOR_ENDPOINT": "127.0.0.1:9"}  # nobody listens there
_ON, _OUT = {"OTEL_TRACES_SAMPLER": "always_on"}, {"OTEL_TRACES_SAMPLER": "always_off"}
_CASES = {
    "off": _ON | {"PEEPS_ENABLED": "false"},
    "endpoint": _ON | _ENDPOINT,
    "endpoint, PEEPS_FORWARD=all": _ON | _ENDPOINT | {"PEEPS_FORWARD": "all"},
    "sampled out, off": _OUT | {"PEEPS_ENABLED": "false"},
    "sampled out, endpoint, PEEPS_UNSAMPLED=false": _OUT | _ENDPOINT | {"PEEPS_UNSAMPLED": "false"},
    "sampled out, endpoint, PEEPS_UNSAMPLED=all": _OUT | _ENDPOINT | {"PEEPS_UNSAMPLED": "all"},
}
_WARM, _REQUESTS = 20, 200
_SCOPE = {
    "type": "http",
    "asgi": {"version": "3.0"},
    "http_version": "1.1",
    "method": "GET",
    "path": "/",
    "raw_path": b"/",
    "query_string": b"",
    "root_path": "",
    "scheme": "http",
    "headers": [(b"host", b"bench")],
    "client": ("127.0.0.1", 1),
    "server": ("127.0.0.1", 80),
}


def main() -> None:
    for name, settings in _CASES.items():
        variables = {key: value for key, value in os.environ.items() if not key.startswith(("PEEPS_", "OTEL_"))}
        command = [sys.executable, "-m", "bench.woken", "worker"]
        done = subprocess.run(
            command, cwd=ROOT, env=variables | settings, stdout=subprocess.PIPE, text=True, check=True
        )
        print(f"{name}: {float(done.stdout):,.0f} calls a request")


def worker() -> None:
    from fastapi import FastAPI, Response
    from opentelemetry import metrics, trace
    from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.trace import TracerProvider

    import peeps_otel

    trace.set_tracer_provider(TracerProvider())
    metrics.set_meter_provider(MeterProvider())
    peeps_otel.init("bench")
    application, lock = FastAPI(), asyncio.Lock()

    async def answer() -> Response:
        async with lock:
            pass
        await asyncio.create_task(asyncio.sleep(0))
        return Response(b"ok")

    application.add_api_route("/", answer)
    FastAPIInstrumentor.instrument_app(application)
    print(asyncio.run(_calls(application)), flush=True)
    os._exit(0)


async def _calls(application: Any) -> float:
    count = 0

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(_message: Any) -> None: ...

    def profile(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    for _ in range(_WARM):
        await application(dict(_SCOPE), receive, send)
    sys.setprofile(profile)
    for _ in range(_REQUESTS):
        await application(dict(_SCOPE), receive, send)
    sys.setprofile(None)
    return count / _REQUESTS


if __name__ == "__main__":
    worker() if sys.argv[1:] else main()
