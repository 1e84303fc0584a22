# SPDX-License-Identifier: Apache-2.0
"""One of everything that a program may wait for, or wait with: each task and thread is named after what it shows."""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
import threading
import time
from collections.abc import Coroutine
from multiprocessing.shared_memory import SharedMemory
from typing import Any

import peeps_otel
from peeps_otel import roam
from peeps_otel.providers import Channel, RpcReport

TOTAL = roam.Method("Things", "total", (roam.Rx(roam.U32),), roam.U64)
kept: list[Any] = []
tasks: dict[str, asyncio.Task[Any]] = {}


def start(name: str, work: Coroutine[Any, Any, Any]) -> None:
    tasks[name] = asyncio.create_task(work, name=name)


async def keep(thing: Any) -> None:
    async with thing:
        await asyncio.sleep(3600)


async def take(thing: Any) -> None:
    async with thing:
        pass


async def notified(thing: asyncio.Condition) -> None:
    async with thing:
        await thing.wait()


async def primitives() -> None:
    lock, permits = asyncio.Lock(), asyncio.Semaphore(1)
    start("keeps-lock", keep(lock))
    start("keeps-permit", keep(permits))
    full: asyncio.Queue[int] = asyncio.Queue(1)
    empty: asyncio.Queue[int] = asyncio.Queue()
    full.put_nowait(0)
    result: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    await asyncio.sleep(0)
    start("lock", take(lock))
    start("semaphore", take(permits))
    start("tx", full.put(1))
    start("rx", empty.get())
    start("oneshot", wait(result))
    start("watch", notified(asyncio.Condition()))
    done = asyncio.Event()
    start("notify", done.wait())
    start("dies", die(done))
    start("barrier", asyncio.Barrier(2).wait())
    start("sleep", asyncio.sleep(3600))
    start("timeout", asyncio.wait_for(asyncio.Event().wait(), 3600))
    start("interval", interval())
    start("joinset", join())
    once = asyncio.create_task(asyncio.sleep(3600), name="initializes")
    start("oncecell", wait(once))


async def wait(result: asyncio.Future[Any]) -> None:
    await result


async def die(done: asyncio.Event) -> None:
    if tasks:
        raise RuntimeError
    done.set()


async def interval() -> None:
    while True:
        await asyncio.sleep(0.5)


async def join() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.sleep(3600), name="child")


async def outside(directory: str) -> None:
    pipe = os.path.join(directory, "pipe")
    os.mkfifo(pipe)
    start("file_op", asyncio.to_thread(open, pipe))
    process = await asyncio.create_subprocess_exec("sleep", "3600")
    start("command", process.wait())
    kept.append(process)

    listening = socket.create_server(("127.0.0.1", 0), backlog=0)
    listening.setblocking(False)
    address = listening.getsockname()
    kept.append(socket.create_connection(address))
    loop = asyncio.get_running_loop()
    for _ in range(2):  # the first may still find room
        stranger = socket.socket()
        stranger.setblocking(False)
        start("net_connect", loop.sock_connect(stranger, address))
        kept.append(tasks["net_connect"])
    free = socket.create_server(("127.0.0.1", 0))
    free.setblocking(False)
    start("net_accept", loop.sock_accept(free))

    server = await asyncio.start_server(lambda reader, writer: kept.extend((reader, writer)), "127.0.0.1", 0, limit=1)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    start("net_readable", reader.read())
    writer.write(bytes(50_000_000))
    start("net_writable", writer.drain())
    kept.extend((server, listening))


async def total(_context: roam.Context, numbers: roam.Receiver) -> int:
    return sum([number async for number in numbers])


async def remote() -> None:
    service = roam.Service("things")
    service.add(TOTAL, total)
    server = await roam.serve_tcp(service, "127.0.0.1", 0, name="things")
    link = await roam.connect_tcp("127.0.0.1", server.port, name="user")
    numbers = link.root.sender(roam.U32)
    kept.extend((server, link, numbers))
    start("request", link.call(TOTAL, numbers))


def sends() -> RpcReport:
    """A transport that still tells of a channel that the task `sleep` has closed."""
    return RpcReport(
        channels=[Channel(id="7", direction="out", name="closed", state="closed", closed_by=tasks["sleep"])]
    )


def thread() -> None:
    threading.Lock().acquire()
    time.sleep(3600)


async def main(directory: str) -> None:
    threading.Thread(target=thread, name="a-thread", daemon=True).start()
    kept.append(SharedMemory(create=True, size=64))
    await primitives()
    await outside(directory)
    await remote()
    peeps_otel.register_provider("wire", "rpc", sends)
    print("every_kind: waits", flush=True)
    await asyncio.sleep(3600)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(main(directory))
