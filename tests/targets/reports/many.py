# SPDX-License-Identifier: Apache-2.0
"""Three thousand tasks become ready at once, and each computes for a quarter of a millisecond, all of them in one iteration."""

import asyncio
import sys

from serve import serve


def price(item):
    return sum(n * item % 7 for n in range(2500))


async def changed(number, state):
    await asyncio.sleep(0)
    return price(number + state)


async def ticker():
    state = 0
    while True:
        await asyncio.sleep(0.5)
        state += 1
        await asyncio.gather(*(changed(number, state) for number in range(3000)))


async def main():
    ticking = asyncio.create_task(ticker())
    await serve(sys.argv[1], {})
    await ticking


asyncio.run(main())
