# SPDX-License-Identifier: Apache-2.0
"""A Python program calls a Node.js peer over Roam, which reads the request and never answers.

The peer is plain Node.js, written from the specification of Roam's wire version 6; it is not watched. So there is a
request in flight, no response to it, and it is said that the other end is not seen.

Needs Node.js 20 or later, and no packages of it.
"""

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

from peeps_otel import roam

NAME = "roam-python-node-stuck-request"
PEER = Path(__file__).with_name("roam_node_peer.mjs")
SLEEPY_FOREVER = roam.Method("DemoRpc", "sleepy_forever", (), roam.STRING)


async def call(port: int) -> None:
    async with await roam.connect_tcp("127.0.0.1", port, name="python-host") as link:
        print(f"{NAME}: the request is on its way to {link.peer_name}", flush=True)
        print(await link.call(SLEEPY_FOREVER))


def leave(*_: object) -> None:
    sys.exit(0)


def main() -> None:
    signal.signal(signal.SIGTERM, leave)
    with subprocess.Popen(["node", str(PEER), "serve", "--silent"], stdout=subprocess.PIPE) as peer:
        try:
            assert peer.stdout is not None
            asyncio.run(call(int(peer.stdout.readline())))
        finally:
            peer.kill()


main()
