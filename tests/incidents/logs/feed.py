# SPDX-License-Identifier: Apache-2.0
"""A price feed: a thread takes prices from its source and puts them into an asyncio.Queue; the loop sends them to whoever is
connected. VARIANT=broken: the thread calls put_nowait() itself, which asyncio does not allow: nobody wakes the loop.

Usage: feed.py PORT broken|mended
"""
import asyncio
import sys
import threading
import time

prices = asyncio.Queue()
listeners = set()


def source(loop, mended):
    for number in range(1_000_000):
        time.sleep(0.2)
        if mended:
            loop.call_soon_threadsafe(prices.put_nowait, number)
        else:
            prices.put_nowait(number)  # <- cause: put


async def publish():
    while True:
        price = await prices.get()  # <- cause: get
        for writer in listeners:
            writer.write(f"{price}\n".encode())


async def serve(_reader, writer):
    listeners.add(writer)


async def main():
    publishing = asyncio.create_task(publish())
    loop = asyncio.get_running_loop()
    threading.Thread(target=source, args=(loop, sys.argv[2] == "mended"), name="source", daemon=True).start()
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]))
    await asyncio.gather(publishing, server.serve_forever())


if __name__ == "__main__":
    asyncio.run(main())
