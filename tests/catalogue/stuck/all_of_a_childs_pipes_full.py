# SPDX-License-Identifier: Apache-2.0
"""asyncio: all is written to `cat`, with `drain()`, before anything that it prints is read: both pipes fill."""

import asyncio


async def main() -> None:
    child = await asyncio.create_subprocess_exec("cat", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
    assert child.stdin is not None
    assert child.stdout is not None
    for _ in range(100):
        child.stdin.write(bytes(100_000))
        await child.stdin.drain()  # <- main writes to cat
    child.stdin.close()
    print(len(await child.stdout.read()))


asyncio.run(main())
