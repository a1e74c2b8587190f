# SPDX-License-Identifier: Apache-2.0
"""An asyncio loop and many threads, each a hundred frames deep in code whose names are thousands of control characters: whoever
reports every thread with every frame writes a hundred megabytes. usage: long_names.py THREADS STALLS"""

import asyncio
import sys
import threading
import time
import types

DEPTH = 100
CONTROL = "".join(chr(1 + number % 31) for number in range(4000))

sys.setrecursionlimit(10 * DEPTH)
threading.stack_size(1 << 20)


def descend(function, left, last):
    return function(function, left - 1, last) if left else last()


def named(number):
    """`descend`, called something else."""
    names = {"co_name": f"{number}{CONTROL[:1000]}", "co_filename": f"/{number}{CONTROL}"}
    if hasattr(descend.__code__, "co_qualname"):
        names["co_qualname"] = names["co_name"]
    return types.FunctionType(descend.__code__.replace(**names), {})


async def main(stalls):
    function = named("loop")
    for _ in range(stalls):
        await asyncio.sleep(0.05)
        function(function, DEPTH, lambda: time.sleep(1.5))
    print("done", flush=True)
    await asyncio.sleep(3600)


held = threading.Lock()
held.acquire()
for each in range(int(sys.argv[1])):
    of_thread = named(each)
    threading.Thread(target=of_thread, args=(of_thread, DEPTH, held.acquire), daemon=True).start()
print("ready", flush=True)
sys.stdin.readline()
asyncio.run(main(int(sys.argv[2])))
