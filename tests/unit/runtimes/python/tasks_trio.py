# SPDX-License-Identifier: Apache-2.0
"""Tasks of Trio that wait for each kind of thing: see tasks.py for what is printed."""
import trio

LOCK = trio.Lock()
EVENT = trio.Event()


async def holder():
    async with LOCK:
        await EVENT.wait()


async def lock():
    async with LOCK:
        pass


async def event():
    await EVENT.wait()


async def sleep():
    await trio.sleep(5000)


async def receive(channel):
    await channel.receive()


async def socket(one):
    await one.recv(1)


async def nursery():
    async with trio.open_nursery() as inner:
        inner.start_soon(sleep, name="child")


async def timeout():
    with trio.move_on_after(4000):
        await EVENT.wait()


async def failing():
    with trio.fail_after(2000), trio.move_on_after(3000):
        await EVENT.wait()


async def shielded():
    with trio.move_on_after(1000), trio.CancelScope(shield=True):
        await EVENT.wait()


def nap():
    import threading
    threading.Event().wait()


async def thread():
    await trio.to_thread.run_sync(nap)


async def main():
    async with trio.open_nursery() as outer:
        outer.start_soon(holder, name="holder")
        await trio.sleep(0.05)
        send, channel = trio.open_memory_channel(0)
        left, right = trio.socket.socketpair()
        for start in (lock, event, sleep, nursery, timeout, failing, shielded, thread):
            outer.start_soon(start, name=start.__name__)
        outer.start_soon(receive, channel, name="receive")
        outer.start_soon(socket, left, name="socket")
        await trio.sleep(0.2)
        print(left.fileno())
        print("ready", flush=True)
        await trio.sleep(10000)
        print(send, right)


trio.run(main)
