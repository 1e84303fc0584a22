# SPDX-License-Identifier: Apache-2.0
"""Trio: a service is started in a cancelled scope: `started()` does nothing, and `start()` waits for its end."""

import trio


async def serve(stop: trio.Event, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
    with trio.CancelScope(shield=True):
        await trio.sleep(0.3)
        task_status.started()
        await stop.wait()  # <- serve waits to be stopped


async def main() -> None:
    stop = trio.Event()
    async with trio.open_nursery() as nursery:
        with trio.CancelScope() as scope:
            scope.cancel()
            await nursery.start(serve, stop, name="serve")  # <- main starts it
        stop.set()


trio.run(main)
