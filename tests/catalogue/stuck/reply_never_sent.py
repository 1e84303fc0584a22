# SPDX-License-Identifier: Apache-2.0
"""One-shot replies over futures; the worker drops a request that it cannot parse, and its caller waits for ever."""

import asyncio

inbox: asyncio.Queue[tuple[str, asyncio.Future[str]]] = asyncio.Queue()


async def worker() -> None:
    while True:
        question, reply = await inbox.get()
        await asyncio.sleep(0.15)
        if question == "?":
            continue  # nobody will ever resolve this reply
        reply.set_result(question.upper())


async def ask(question: str) -> str:
    reply: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    await inbox.put((question, reply))
    return await reply  # <- waits for reply


async def client() -> None:
    for question in "what is the answer to life?":
        print(await ask(question))


async def main() -> None:
    server = asyncio.create_task(worker(), name="worker")
    await asyncio.create_task(client(), name="client")
    server.cancel()


asyncio.run(main())
