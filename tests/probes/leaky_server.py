# SPDX-License-Identifier: Apache-2.0
"""An aiohttp server with its clients: 5 handlers wait for something nobody can send, 60 for what will come. Prints what
the leak proof says of them as JSON.

`python leaky_server.py asyncio|uvloop`
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from typing import Any

import aiohttp
from aiohttp import web

from peeps_otel.probes.heap import leaks as heap_leaks

news = asyncio.Condition()


async def stuck(_request: web.Request) -> web.Response:
    return web.json_response(await asyncio.Queue[int]().get())


async def slow(_request: web.Request) -> web.Response:
    await asyncio.sleep(3600)
    return web.Response()


async def bounded(_request: web.Request) -> web.Response:
    async with asyncio.timeout(3600):
        await asyncio.get_running_loop().create_future()
    return web.Response()


async def poll(_request: web.Request) -> web.Response:
    async with news:
        await news.wait()
    return web.Response()


async def main() -> dict[str, Any]:
    app = web.Application()
    for handler in (stuck, slow, bounded, poll):
        app.router.add_get(f"/{handler.__name__}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        paths = ["stuck"] * 5 + ["slow", "bounded", "poll"] * 20
        requests = [asyncio.create_task(session.get(f"http://127.0.0.1:{port}/{path}")) for path in paths]
        await asyncio.sleep(1.5)
        report = await asyncio.to_thread(heap_leaks.check)
        tasks = {id(task): task for task in asyncio.all_tasks()}
        kinds: Counter[str] = Counter()
        for one in report.lost:
            task = tasks[one.task]
            stack = [frame.f_code.co_name for frame in task.get_stack()] + [getattr(task.get_coro(), "__name__", "")]
            coroutine: Any = task.get_coro()
            names: list[str] = []
            while coroutine is not None and hasattr(coroutine, "cr_code"):
                names.append(coroutine.cr_code.co_name)
                coroutine = coroutine.cr_await
            kinds["stuck handler" if "stuck" in names else "its connection" if "start" in names else str(stack)] += 1
        for request in requests:
            request.cancel()
        await asyncio.gather(*requests, return_exceptions=True)
    await asyncio.wait_for(runner.shutdown(), 5)
    return {"lost": kinds, "blocked": report.blocked, "not_run": report.not_run}


if __name__ == "__main__":
    if sys.argv[1] == "uvloop":
        import uvloop

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            print(json.dumps(runner.run(main())))
    else:
        print(json.dumps(asyncio.run(main())))
