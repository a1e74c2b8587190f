# SPDX-License-Identifier: Apache-2.0
"""A Python event loop that blocks N times in the way asked for.

Says "ready" once it loops, begins at "go" on its stdin, says "done" after its last event, ends at the end of its stdin.
"""

import argparse
import asyncio
import json
import os
import sys
import threading

import waits_cpu
import waits_files
import waits_locks
import waits_net
import waits_time
from loops import LOOPS
from plan import IDLE_S, planned_ms
from truth import Truth, say
from world import World

HOUR_MS = 3600000
WAITS = {**waits_time.WAITS, **waits_locks.WAITS, **waits_files.WAITS, **waits_net.WAITS, **waits_cpu.WAITS}


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("--truth", required=True)
    parser.add_argument("--scratch", required=True)
    parser.add_argument("--loop", choices=LOOPS, default="asyncio")
    parser.add_argument("--wait", required=True)
    parser.add_argument("--count", type=int, default=13)
    parser.add_argument("--ms", type=lambda text: [int(word) for word in text.split(",")], help="block for that long, these in turn, instead of as planned")
    parser.add_argument("--freeze", action="store_true", help="block for an hour instead of as planned")
    parser.add_argument("--options", type=json.loads, default={}, help="servers: a JSON object")
    return parser.parse_args()


class Control:
    """The words that the test sends, one a line."""

    def __init__(self):
        self.words = asyncio.Queue()
        asyncio.get_running_loop().add_reader(0, self.read)

    def read(self):
        got = os.read(0, 4096).decode()
        if not got:
            asyncio.get_running_loop().remove_reader(0)
        for word in got.split() or [""]:
            self.words.put_nowait(word)

    async def next(self):
        return await self.words.get()


def duration_ms(arguments, index):
    return arguments.ms[index % len(arguments.ms)] if arguments.ms else planned_ms(index)


async def follow_plan(arguments, truth, wait):
    control = Control()
    truth.write({"kind": "loop", "pid": os.getpid(), "tid": threading.get_native_id()})
    for _ in range(10):
        await asyncio.sleep(0.01)
    say("ready")
    if await control.next() != "go":
        return
    for index in range(arguments.count):
        await asyncio.sleep(IDLE_S)
        truth.measure(wait, HOUR_MS if arguments.freeze else duration_ms(arguments, index), arguments.freeze)
    await asyncio.sleep(IDLE_S)
    say("done")
    while await control.next():
        pass


def main():
    arguments = parse()
    if arguments.wait not in WAITS:
        import waits_servers

        WAITS.update(waits_servers.WAITS)
    truth = Truth(arguments.truth)
    world = World(arguments.scratch, arguments.options)
    wait = WAITS[arguments.wait](world)
    wait.set_up()
    wait.place()
    LOOPS[arguments.loop](lambda: follow_plan(arguments, truth, wait))
    world.close()


if __name__ == "__main__":
    sys.exit(main())
