# SPDX-License-Identifier: Apache-2.0
"""`plain_locks.py threads`: threads that wait for a lock that does not know its owner, and for each other's end. Says "ready" and
their tids by name, then hangs.
`plain_locks.py loop`: an asyncio loop that waits for such a lock twice, 300 ms and then for ever; its holder calls acquire()."""

import asyncio
import json
import sys
import threading
import time

lock = threading.Lock()
tids = {}
FOR_EVER_S = 3600


def start(name, body, *arguments):
    def run():
        tids[name] = threading.get_native_id()
        body(*arguments)

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    while name not in tids:
        time.sleep(0.001)
    return thread


def had_it():
    """What is left on this frame's stack is no sign of holding it."""
    with lock:
        pass
    time.sleep(FOR_EVER_S)


def has_it():
    with lock:
        work()


def work():
    time.sleep(FOR_EVER_S)


def wants_it():
    with lock:
        pass


def wants_it_plainly():
    lock.acquire()


def threads():
    for number in range(3):
        start(f"had_it_{number}", had_it)
    time.sleep(0.1)
    holder = start("holder", has_it)
    while not lock.locked():
        time.sleep(0.001)
    start("wants", wants_it)
    start("wants_plainly", wants_it_plainly)
    start("joins", holder.join)
    print("ready", json.dumps(tids), flush=True)
    holder.join()


def hold(seconds, held):
    lock.acquire()
    held.set()
    time.sleep(seconds)
    lock.release()  # <- releases


def holds_twice(first, second):
    hold(0.3, first)
    second.wait()
    second.clear()
    hold(FOR_EVER_S, first)


async def loop():
    held, again = threading.Event(), threading.Event()
    await asyncio.sleep(0.1)
    start("holder", holds_twice, held, again)
    held.wait()
    lock.acquire()
    lock.release()
    held.clear()
    again.set()
    held.wait()
    await asyncio.sleep(0.1)
    lock.acquire()  # <- blocks


if sys.argv[1] == "threads":
    threads()
else:
    print("ready", flush=True)
    sys.stdin.readline()
    asyncio.run(loop())
