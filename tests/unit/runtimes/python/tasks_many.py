# SPDX-License-Identifier: Apache-2.0
"""As many tasks as its argument says, each five coroutines deep, all for one lock. Prints "ready", and stays so."""
import asyncio
import sys


async def deep(lock, depth):
    if depth:
        await deep(lock, depth - 1)  # line 9
    else:
        async with lock:  # line 11
            pass


async def holder(lock):
    async with lock:
        await asyncio.sleep(100000)


async def main():
    lock = asyncio.Lock()
    tasks = [asyncio.create_task(holder(lock))]
    await asyncio.sleep(0)
    tasks += [asyncio.create_task(deep(lock, 3)) for _ in range(int(sys.argv[1]))]
    await asyncio.sleep(0.1)
    print("ready", flush=True)
    await asyncio.sleep(100000)


asyncio.run(main())
