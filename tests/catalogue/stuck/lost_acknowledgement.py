# SPDX-License-Identifier: Apache-2.0
"""Each payment waits for the event that its acknowledgement sets. The acknowledgement of one of them is lost."""

import asyncio


class Payment:
    def __init__(self, number: int) -> None:
        self.number = number
        self.acknowledged = asyncio.Event()


async def pay(number: int) -> None:
    payment = Payment(number)
    if number != 15:
        asyncio.get_running_loop().call_later(0.2, payment.acknowledged.set)
    await payment.acknowledged.wait()  # <- waits


async def main() -> None:
    for number in range(1, 20):
        await asyncio.create_task(pay(number), name=f"payment-{number}")


asyncio.run(main())
