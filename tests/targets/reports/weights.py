# SPDX-License-Identifier: Apache-2.0
"""Reads here and there in a mapped file that is larger than what its cgroup may use of memory."""

import asyncio
import mmap
import random
import sys

from serve import serve

with open(sys.argv[2], "rb") as file:
    table = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
table.madvise(mmap.MADV_RANDOM)


def infer(steps):
    return sum(table[random.randrange(len(table))] for _ in range(steps))


async def think():
    while True:
        infer(3000)
        await asyncio.sleep(0.3)


async def main():
    thinking = asyncio.create_task(think())
    await serve(sys.argv[1], {})
    await thinking


asyncio.run(main())
