# SPDX-License-Identifier: Apache-2.0
"""Loops, each a thread of its own, that freeze again and again for a time between two numbers of milliseconds. Says "ready" once
each of them turns; ends with its stdin."""

import asyncio
import random
import sys
import threading
import time

LEAST_MS, MAX_MS, LOOPS = (int(word) for word in sys.argv[1:])
turning = threading.Barrier(LOOPS + 1)


async def serve():
    await asyncio.sleep(0.01)
    turning.wait()
    while True:
        await asyncio.sleep(0.01)
        time.sleep(random.uniform(LEAST_MS, MAX_MS) / 1000)


for _ in range(LOOPS):
    threading.Thread(target=lambda: asyncio.run(serve()), daemon=True).start()
turning.wait()
print("ready", flush=True)
sys.stdin.read()
