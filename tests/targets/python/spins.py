# SPDX-License-Identifier: Apache-2.0
"""A callback of asyncio's that computes for ever; says "ready" as it begins."""

import asyncio


def reconcile():
    print("ready", flush=True)
    total = 0
    while True:
        total = (total + 1) % 1000003  # spins


async def main():
    asyncio.get_running_loop().call_later(0.05, reconcile)
    await asyncio.sleep(3600)


asyncio.run(main())
