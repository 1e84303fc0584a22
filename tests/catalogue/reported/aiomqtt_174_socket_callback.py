# SPDX-License-Identifier: Apache-2.0
"""empicano/aiomqtt#174: a callback of the network library submits a coroutine to the loop and waits for it.

That is right while the callback comes from a thread, and stops everything as soon as the loop itself calls it.
"""

import asyncio


class Client:
    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()

    def on_socket_register_write(self) -> None:
        async def add_writer() -> None:
            print("writer added")

        asyncio.run_coroutine_threadsafe(add_writer(), self.loop).result()  # <- waits for add_writer

    async def connect(self) -> None:
        await asyncio.to_thread(self.on_socket_register_write)

    async def publish(self) -> None:
        self.on_socket_register_write()


async def main() -> None:
    client = Client()
    await client.connect()
    await asyncio.create_task(client.publish(), name="publish")


asyncio.run(main())
