# SPDX-License-Identifier: Apache-2.0
"""A loop of Trio or gevent (its argument) that is blocked by two tasks with names, in turn. Prints "ready", goes when a line comes in, prints
for each block "kind TAB name of the task TAB function that it was made of", and "done"."""

import sys
import time

BLOCK_S = 0.5


def sleep():
    time.sleep(BLOCK_S)


def compute():
    until = time.monotonic() + BLOCK_S
    while time.monotonic() < until:
        sum(range(1000))


def told():
    print("sleep", "orders-7", "take_order", sep="\t")
    print("compute", "report-3", "write_report", sep="\t")
    print("done", flush=True)


def run_trio():
    import trio

    async def take_order():
        await trio.sleep(0)
        sleep()

    async def write_report():
        await trio.sleep(0)
        compute()

    async def main():
        print("ready", flush=True)
        await trio.to_thread.run_sync(sys.stdin.readline)
        for task, name in ((take_order, "orders-7"), (write_report, "report-3")):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(task, name=name)
            await trio.sleep(0.02)
        told()
        await trio.sleep_forever()

    trio.run(main)


def run_gevent():
    import gevent

    def take_order():
        gevent.sleep(0)
        sleep()

    def write_report():
        gevent.sleep(0)
        compute()

    print("ready", flush=True)
    gevent.get_hub().threadpool.apply(sys.stdin.readline)
    for task, name in ((take_order, "orders-7"), (write_report, "report-3")):
        greenlet = gevent.spawn(task)
        greenlet.name = name
        greenlet.join()
        gevent.sleep(0.02)
    told()
    gevent.sleep(3600)


if __name__ == "__main__":
    {"trio": run_trio, "gevent": run_gevent}[sys.argv[1]]()
