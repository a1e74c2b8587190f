# SPDX-License-Identifier: Apache-2.0
"""Two services. Orders asks stock while it holds its ledger; stock asks orders for a price, which takes the ledger, too."""
import asyncio
import sys

import wire

ROLE, ORDERS, STOCK = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
ledger = None


async def order():
    async with ledger:
        return await wire.ask(STOCK, "/reserve")  # <- cause: order


async def price():
    async with ledger:  # <- cause: price
        return "12.00"


async def reserve():
    return await wire.ask(ORDERS, "/price")  # <- cause: reserve


async def main():
    global ledger
    ledger = asyncio.Lock()
    own = {"/order": order, "/price": price} if ROLE == "orders" else {"/reserve": reserve}
    await wire.serve(ORDERS if ROLE == "orders" else STOCK, {"/health": wire.health, **own})


asyncio.run(main())
