# SPDX-License-Identifier: Apache-2.0
"""Makes and ends tasks at full load: each goes through two known lines. Argument: how many at a time. Prints "ready", runs on."""
import asyncio
import sys


async def leaf():
    await asyncio.sleep(0)
    await asyncio.sleep(0.0001)  # line 9: "leaf" is at 8 or 9


async def branch(number):
    await leaf()  # line 13
    await asyncio.gather(leaf(), leaf())  # line 14
    return number


async def main():
    print("ready", flush=True)
    width = int(sys.argv[1])
    while True:
        await asyncio.gather(*(branch(number) for number in range(width)))


asyncio.run(main())
