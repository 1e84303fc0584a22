# SPDX-License-Identifier: Apache-2.0
"""`communicate()` of asyncio waits for the end of the output of a shell that has ended; what it left keeps the pipe."""

import asyncio


async def start() -> None:
    shell = await asyncio.create_subprocess_shell("sleep 3600 & echo started", stdout=asyncio.subprocess.PIPE)
    await shell.communicate()  # <- waits for the end of the output


asyncio.run(start())
