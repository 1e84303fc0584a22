# SPDX-License-Identifier: Apache-2.0
"""Trio: services do their work, one started in a scope of its own; the main task waits for an event nobody sets."""

import trio


async def serve(
    jobs: "trio.MemoryReceiveChannel[float]", task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    with trio.CancelScope(shield=True):
        task_status.started()
        async for job in jobs:
            await trio.sleep(job)


async def feed(jobs: "trio.MemorySendChannel[float]") -> None:
    while True:
        await jobs.send(0.5)


async def main() -> None:
    done = trio.Event()
    send, receive = trio.open_memory_channel[float](1)
    async with trio.open_nursery() as nursery:
        await nursery.start(serve, receive)
        nursery.start_soon(feed, send)
        await done.wait()


trio.run(main)
