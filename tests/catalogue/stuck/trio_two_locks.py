# SPDX-License-Identifier: Apache-2.0
"""Two Trio tasks take two locks in opposite orders; a third works on, and the main task waits for all of them."""

import trio


async def debit(account: trio.Lock, ledger: trio.Lock) -> None:
    async with account:  # <- debit takes account
        await trio.sleep(0.05)
        async with ledger:  # <- debit waits
            pass


async def credit(ledger: trio.Lock, account: trio.Lock) -> None:
    async with ledger:  # <- credit takes ledger
        await trio.sleep(0.05)
        async with account:  # <- credit waits
            pass


async def heartbeat() -> None:
    while True:
        await trio.sleep(0.2)


async def main() -> None:
    account, ledger = trio.Lock(), trio.Lock()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(debit, account, ledger)
        nursery.start_soon(credit, ledger, account)
        nursery.start_soon(heartbeat)


trio.run(main)
