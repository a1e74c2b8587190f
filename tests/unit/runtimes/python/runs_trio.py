# SPDX-License-Identifier: Apache-2.0
"""A task of Trio that computes, so many functions deep as its argument says. Prints "idle", goes when a line comes in, prints "runs";
at another line the address of the task's object, and "that"."""
import select
import sys

import trio


def compute(depth):
    if depth > 1:
        compute(depth - 1)
        return
    while not select.select([sys.stdin], [], [], 0)[0]:
        sum(range(1000))


async def take_order():
    await trio.sleep(0)
    print("runs", flush=True)
    compute(int(sys.argv[1]))
    print(id(trio.lowlevel.current_task() if hasattr(trio, "lowlevel") else trio.hazmat.current_task()), "that", sep="\n", flush=True)


async def main():
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep_forever)
        await trio.sleep(0)
        print("idle", flush=True)
        await trio.to_thread.run_sync(sys.stdin.readline)
        nursery.start_soon(take_order, name="orders-7")
        await trio.sleep_forever()


trio.run(main)
