# SPDX-License-Identifier: Apache-2.0
"""The same: what another thread has for the loop is handed over in a way that wakes it."""
import asyncio
import queue
import sys
import threading

jobs = queue.Queue()


def draw(loop):
    while True:
        done, size = jobs.get()
        picture = b"." * size
        loop.call_soon_threadsafe(done.set_result, picture)  # <- cause: deliver


async def handle(reader, writer):
    try:
        while (request := await reader.readuntil(b"\r\n\r\n")) and not request.startswith(b"GET /health"):
            done = asyncio.get_running_loop().create_future()
            jobs.put((done, 100))
            picture = await done  # <- cause: wait
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(picture), picture))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    writer.close()


async def main():
    threading.Thread(target=draw, args=(asyncio.get_running_loop(),), name="draw", daemon=True).start()
    server = await asyncio.start_server(handle, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
