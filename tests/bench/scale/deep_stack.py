# SPDX-License-Identifier: Apache-2.0
"""An asyncio program that sleeps in a callback, under a stack as deep as that of a web framework with some middleware."""
import asyncio
import sys
import time


def handler(depth):
    return sorted([depth], key=middleware) if depth else time.sleep(3600)


def middleware(depth):
    handler(depth - 1)
    return depth


async def main():
    await asyncio.sleep(0.1)
    print("ready", flush=True)
    await asyncio.sleep(float(sys.argv[1]) if len(sys.argv) > 1 else 0.2)
    handler(10)


asyncio.run(main())
