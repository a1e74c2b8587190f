# SPDX-License-Identifier: Apache-2.0
"""The same: nothing is held while another service is asked, and no question waits for ever."""
import asyncio
import sys

import wire

ROLE, ORDERS, STOCK = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
ledger = None


async def order():
    reserved = await asyncio.wait_for(wire.ask(STOCK, "/reserve"), 3)  # <- cause: order
    async with ledger:
        return reserved


async def price():
    async with ledger:  # <- cause: price
        return "12.00"


async def reserve():
    return await asyncio.wait_for(wire.ask(ORDERS, "/price"), 3)  # <- cause: reserve


async def main():
    global ledger
    ledger = asyncio.Lock()
    own = {"/order": order, "/price": price} if ROLE == "orders" else {"/reserve": reserve}
    await wire.serve(ORDERS if ROLE == "orders" else STOCK, {"/health": wire.health, **own})


asyncio.run(main())
