# SPDX-License-Identifier: Apache-2.0
"""A loop that is blocked by tasks with names, by a callback that is no task's, by thousands of tasks, and by the
garbage collector. Prints "ready", goes when a line comes in, prints for each block "kind TAB name of the task or - TAB line", and "done"."""

import asyncio
import gc
import inspect
import sys
import time

BLOCK_S = 0.5
MANY = 3000


def line_of(function, text):
    lines, first = inspect.getsourcelines(function)
    return first + next(at for at, line in enumerate(lines) if text in line)


async def take_order():
    time.sleep(BLOCK_S)


async def write_report():
    until = time.monotonic() + BLOCK_S
    while time.monotonic() < until:
        sum(range(1000))


def refresh():
    time.sleep(BLOCK_S)


async def price(number):
    sum(each * number % 7 for each in range(2500))


async def load():
    gc.collect()


async def main():
    # Many enough that collecting them is a stall on any machine.
    kept = [[number] for number in range(int(sys.argv[2]))]
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    await asyncio.gather(asyncio.create_task(take_order(), name="orders-7"))
    await asyncio.sleep(0.02)
    await asyncio.gather(asyncio.create_task(write_report(), name="report-3"))
    await asyncio.sleep(0.02)
    asyncio.get_running_loop().call_soon(refresh)
    await asyncio.sleep(0.02)
    many = [asyncio.create_task(price(number)) for number in range(MANY)]  # that nobody awaits: the queue only grows shorter
    await asyncio.sleep(0.02)
    del many
    await asyncio.gather(asyncio.create_task(load(), name="load-1"))
    await asyncio.sleep(0.02)
    del kept
    print("sleep", "orders-7", line_of(take_order, "time.sleep"), sep="\t")
    print("cpu", "report-3", "-", sep="\t")
    print("callback", "-", line_of(refresh, "time.sleep"), sep="\t")
    print("many", "-", line_of(price, "sum("), sep="\t")
    print("gc", "load-1", line_of(load, "gc.collect"), sep="\t")
    print("done", flush=True)
    await asyncio.sleep(3600)


if __name__ == "__main__":
    gc.disable()  # only what load() does
    if sys.argv[1] == "uvloop":
        import uvloop

        uvloop.install()
    asyncio.run(main())
