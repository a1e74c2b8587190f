# SPDX-License-Identifier: Apache-2.0
"""A server whose loop is idle while people wait, or has nothing wrong: MODE, then --uvloop. Prints one line of JSON, the truth: its port,
the line that it stands at, what for. `GET /health` is answered in any mode."""

import asyncio
import concurrent.futures
import inspect
import json
import os
import socket
import subprocess
import sys
import threading

MODES = {}
PEERS = []
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def mode(function):
    MODES[function.__name__] = function
    return function


def line_of(function, text):
    """Where in the source of `function` the line with `text` is."""
    lines, first = inspect.getsourcelines(function)
    return {"function": function.__qualname__, "line": first + next(at for at, line in enumerate(lines) if text in line)}


async def request(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    return head.split()[1].decode()


def serving(work):
    async def handle(reader, writer):
        try:
            while True:
                path = await request(reader)
                if path != "/health":
                    await work(path, reader, writer)
                writer.write(ANSWER)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    return handle


async def serve(work, **truth):
    server = await asyncio.start_server(serving(work), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    print(json.dumps({"port": port, **truth}), flush=True)
    return server


async def forever():
    await asyncio.Event().wait()


PEER = """
import socket
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
kept = []
while True:
    kept.append(listener.accept())
"""


def silent_peer():
    """Another process, which accepts and says nothing. Ends with this one, whose end of its input is closed then."""
    watch = "import os, sys, threading; threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()\n"
    peer = subprocess.Popen([sys.executable, "-c", watch + PEER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    PEERS.append(peer)
    return int(peer.stdout.readline())


# What is wrong.


async def serve_behind(lock, waits, holders):
    """Who gets the lock, `holders` at a time, waits for a silent peer with it."""
    peer = silent_peer()

    async def ask(*_):
        async with lock:
            reader, writer = await asyncio.open_connection("127.0.0.1", peer)
            writer.write(b"token\n")
            await reader.readline()

    at, holder = line_of(ask, "async with lock"), line_of(ask, "reader.readline")
    await serve(ask, kind="no_answer", at=at, holder=holder, holders=holders, waits=waits, peer=peer)
    await forever()


@mode
async def lock():
    await serve_behind(asyncio.Lock(), "lock", 1)


@mode
async def future():
    async def work(*_):
        await asyncio.get_running_loop().create_future()

    await serve(work, kind="no_answer", at=line_of(work, "create_future"), waits="future")
    await forever()


@mode
async def executor():
    event = threading.Event()

    async def work(*_):
        await asyncio.get_running_loop().run_in_executor(None, event.wait)

    await serve(work, kind="no_answer", at=line_of(work, "run_in_executor"), waits="executor")
    await forever()


@mode
async def full_executor():
    """All of an executor's are in recv() from a server that says nothing."""
    pool, silent = concurrent.futures.ThreadPoolExecutor(3, thread_name_prefix="fetch"), silent_peer()

    def fetch():
        with socket.create_connection(("127.0.0.1", silent)) as connection:
            connection.recv(100)

    async def work(*_):
        await asyncio.get_running_loop().run_in_executor(pool, fetch)

    at, worker = line_of(work, "run_in_executor"), line_of(fetch, "recv(")
    await serve(work, kind="no_answer", at=at, worker=worker, waits="executor")
    await forever()


@mode
async def semaphore():
    await serve_behind(asyncio.Semaphore(2), "semaphore", 2)


@mode
async def queue():
    jobs = asyncio.Queue(1)
    jobs.put_nowait("the worker that took them is gone")

    async def work(path, *_):
        await jobs.put(path)

    await serve(work, kind="no_answer", at=line_of(work, "jobs.put"), waits="queue_put")
    await forever()


@mode
async def task():
    """Each customer waits for a task of his own, and these for one future."""
    answer = asyncio.get_running_loop().create_future()

    async def fetch():
        await asyncio.shield(answer)

    async def work(*_):
        await asyncio.create_task(fetch())

    at, beside = line_of(fetch, "shield"), line_of(work, "create_task")
    await serve(work, kind="no_answer", at=at, waits="future", beside=beside, beside_waits="task")
    await forever()


@mode
async def deadlock():
    first, second = asyncio.Lock(), asyncio.Lock()

    async def one(*_):
        async with first:
            await asyncio.sleep(0.1)
            async with second:
                pass

    async def other(*_):
        async with second:
            await asyncio.sleep(0.1)
            async with first:
                pass

    async def work(path, *_):
        await (one() if path == "/one" else other())

    await serve(work, kind="task_deadlock", at=line_of(one, "async with second"), waits="lock", names=["/one", "/other"])
    await forever()


@mode
async def lost_wakeup():
    loop, asked = asyncio.get_running_loop(), []

    async def work(*_):
        answer = loop.create_future()
        asked.append(answer)
        await answer

    def deliver():
        while True:
            threading.Event().wait(0.2)
            while asked:
                loop.call_soon(asked.pop().set_result, None)

    threading.Thread(target=deliver, name="deliver", daemon=True).start()
    await serve(work, kind="lost_wakeup", at=line_of(work, "await answer"), waits="future")
    await forever()


@mode
async def not_accepted():
    listener = socket.create_server(("127.0.0.1", 0))
    print(json.dumps({"port": listener.getsockname()[1], "kind": "not_accepted"}), flush=True)
    await forever()


@mode
async def spin():
    class Reader:
        closed = False

        def __init__(self, connection):
            self.connection = connection

        def ready(self):
            if self.closed:
                return
            if not self.connection.recv(4096):
                self.closed = True

    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    print(json.dumps({"port": listener.getsockname()[1], "kind": "spin", "at": line_of(Reader.ready, "def ready")}), flush=True)
    connection, _ = await asyncio.get_running_loop().sock_accept(listener)
    asyncio.get_running_loop().add_reader(connection, Reader(connection).ready)
    await forever()


class Deaf:
    """Reads what comes, but not that it has ended."""

    closed = False

    def __init__(self, descriptor):
        self.descriptor = descriptor

    def ready(self):
        if not self.closed and not os.read(self.descriptor, 4096):
            self.closed = True


async def spin_on(descriptor, other):
    print(json.dumps({"port": 0, "kind": "spin", "at": line_of(Deaf.ready, "def ready")}), flush=True)
    os.close(other)
    asyncio.get_running_loop().add_reader(descriptor, Deaf(descriptor).ready)
    await forever()


@mode
async def spin_pipe():
    await spin_on(*os.pipe())


@mode
async def spin_unix():
    one, other = socket.socketpair()
    await spin_on(one.detach(), other.detach())


# What is healthy.


@mode
async def keep_alive():
    async def work(*_):
        pass

    await serve(work)
    await forever()


@mode
async def long_poll():
    news = asyncio.Event()

    async def work(*_):
        await news.wait()

    await serve(work)
    await forever()


@mode
async def long_poll_queue():
    queue = asyncio.Queue()

    async def work(*_):
        await asyncio.wait_for(queue.get(), 600)

    await serve(work)
    await forever()


@mode
async def events():
    async def work(_path, _reader, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n: hello\n\n")
        await forever()

    await serve(work)
    await forever()


@mode
async def socket_messages():
    """As a WebSocket: after the answer to its first request the customer talks, and is not answered."""

    async def work(_path, reader, writer):
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
        while await reader.readline():
            pass

    await serve(work)
    await forever()


@mode
async def log_sink():
    async def handle(reader, writer):
        while await reader.readline():
            pass
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await forever()


@mode
async def workers():
    """No customers: four wait for jobs, and it is itself the client of a slow server."""
    queue, lock, peer = asyncio.Queue(), asyncio.Lock(), silent_peer()

    async def worker():
        while True:
            await queue.get()

    async def client():
        async with lock:
            reader, writer = await asyncio.open_connection("127.0.0.1", peer)
            writer.write(b"query\n")
            await reader.readline()

    tasks = [asyncio.create_task(worker()) for _ in range(4)] + [asyncio.create_task(client()) for _ in range(3)]
    print(json.dumps({"port": None}), flush=True)
    await asyncio.gather(*tasks)


if __name__ == "__main__":
    if "--uvloop" in sys.argv:
        import uvloop

        uvloop.install()
    asyncio.run(MODES[sys.argv[1]]())
