# SPDX-License-Identifier: Apache-2.0
"""Two tasks each keep a stream of a host open, which has two connections, and gather the parts that it names."""

import asyncio

from aiohttp import ClientSession, ClientTimeout, TCPConnector, web


async def item(request: web.Request) -> web.Response:
    return web.Response(body=b"x" * 1_000_000)


async def part(session: ClientSession, url: str) -> bytes:
    async with session.get(url) as answer:  # <- asks for a part
        return await answer.read()


async def assemble(session: ClientSession, url: str, both: asyncio.Event, opened: list[str]) -> None:
    async with session.get(f"{url}/plan") as plan:  # <- streams the plan
        opened.append(url)
        if len(opened) == 2:
            both.set()
        await both.wait()
        await asyncio.gather(part(session, f"{url}/1"), part(session, f"{url}/2"))  # <- gathers
        print(plan.status)


async def main() -> None:
    app = web.Application()
    app.router.add_get("/{number}", item)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    connector = TCPConnector(limit=0, limit_per_host=2)
    both, opened = asyncio.Event(), list[str]()
    async with ClientSession(connector=connector, timeout=ClientTimeout(total=None)) as session:
        work = (assemble(session, url, both, opened) for _ in range(2))
        await asyncio.gather(*(asyncio.create_task(one, name=f"assembler-{number}") for number, one in enumerate(work)))


asyncio.run(main())
