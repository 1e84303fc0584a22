# SPDX-License-Identifier: Apache-2.0
"""After each batch the producer waits until the queue is done; an error path of the worker skips `task_done`."""

import asyncio

mails: asyncio.Queue[str] = asyncio.Queue()


async def send() -> None:
    while True:
        mail = await mails.get()  # <- sender takes
        await asyncio.sleep(0.1)
        if mail == "bounced":
            continue  # without mails.task_done()
        mails.task_done()


async def campaign() -> None:
    for batch in (["a", "b"], ["c", "d"], ["bounced"]):
        for mail in batch:
            mails.put_nowait(mail)
        await mails.join()  # <- waits until done


async def main() -> None:
    sender = asyncio.create_task(send(), name="sender")
    await asyncio.create_task(campaign(), name="campaign")
    sender.cancel()


asyncio.run(main())
