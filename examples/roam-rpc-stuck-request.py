# SPDX-License-Identifier: Apache-2.0
"""A Roam call is never answered: the handler, in another process, sleeps for ever.

Both processes are healthy and idle. The request has no deadline, its span never ends, so no trace is ever sent. Here it
is a request in flight, joined to the response that is not there yet, and to the line where the handler stands.
"""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

from peeps_otel import roam

NAME = "roam-rpc-stuck-request"
SLEEPY_FOREVER = roam.Method("DemoRpc", "sleepy_forever", (), roam.STRING)


async def sleepy_forever(_context: roam.Context) -> str:
    await asyncio.sleep(1e9)
    return "never"


async def serve() -> None:
    service = roam.Service("demo")
    service.add(SLEEPY_FOREVER, sleepy_forever)
    async with await roam.serve_tcp(service, "127.0.0.1", 0, name="demo-server") as server:
        print(server.port, flush=True)
        await asyncio.Event().wait()


async def call(port: int) -> None:
    async with await roam.connect_tcp("127.0.0.1", port, name="demo-client") as link:
        print(f"{NAME}: the request is on its way", flush=True)
        print(await link.call(SLEEPY_FOREVER))


def leave(*_: object) -> None:
    sys.exit(0)


def main() -> None:
    signal.signal(signal.SIGTERM, leave)
    command = [sys.executable, __file__, "serve"]
    if "peeps_otel.agent" in sys.modules:  # then the server is watched too
        command = [str(Path(sys.executable).with_name("opentelemetry-instrument")), *command]
    variables = os.environ | {"OTEL_SERVICE_NAME": "demo-server"}
    with subprocess.Popen(command, env=variables, stdout=subprocess.PIPE) as server:
        try:
            assert server.stdout is not None
            asyncio.run(call(int(server.stdout.readline())))
        finally:
            server.kill()


if len(sys.argv) > 1:
    asyncio.run(serve())
else:
    main()
