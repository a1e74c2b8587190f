# SPDX-License-Identifier: Apache-2.0
"""A server of Trio whose loop is idle while people wait, or has nothing wrong: MODE. Prints one line of JSON, the truth: its port, the line
that it stands at, what for. `GET /health` is answered in any mode."""

import functools
import inspect
import json
import sys
import threading

import trio

MODES = {}
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def mode(function):
    MODES[function.__name__] = function
    return function


def line_of(function, text):
    lines, first = inspect.getsourcelines(function)
    return {"function": function.__qualname__, "line": first + next(at for at, line in enumerate(lines) if text in line)}


async def serve(work, **truth):
    async def handle(stream):
        head = b""
        while True:
            head += await stream.receive_some(4096)
            if not head.endswith(b"\r\n\r\n"):
                continue
            if head.split()[1] != b"/health":
                await work()
            await stream.send_all(ANSWER)
            head = b""

    async def guarded(stream):
        try:
            await handle(stream)
        except (trio.BrokenResourceError, IndexError):
            pass

    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(functools.partial(trio.serve_tcp, guarded, 0, host="127.0.0.1"))
        print(json.dumps({"port": listener.socket.getsockname()[1], **truth}), flush=True)


@mode
async def lock():
    one = trio.Lock()

    async def token():
        async with one:
            await trio.Event().wait()

    await serve(token, kind="no_answer", at=line_of(token, "async with one"), holder=line_of(token, "Event().wait"), holders=1, waits="lock")


@mode
async def thread():
    def block():
        threading.Event().wait()

    async def work():
        await trio.to_thread.run_sync(block)

    await serve(work, kind="no_answer", at=line_of(work, "run_sync"), waits="executor")


@mode
async def lost_wakeup():
    low = trio.lowlevel if hasattr(trio, "lowlevel") else trio.hazmat
    waiting = []

    async def work():
        waiting.append(low.current_task())
        await low.wait_task_rescheduled(lambda _: low.Abort.SUCCEEDED)

    def deliver():  # from another thread, which does not wake the loop
        while True:
            threading.Event().wait(0.2)
            while waiting:
                task = waiting.pop()
                task._runner.reschedule(task)

    threading.Thread(target=deliver, daemon=True).start()
    await serve(work, kind="lost_wakeup", at=line_of(work, "wait_task_rescheduled"), waits="ready")


# What is healthy.


@mode
async def long_poll():
    """A customer is answered after a while, if nothing happens before."""

    async def work():
        with trio.move_on_after(600):
            await trio.Event().wait()

    await serve(work)


@mode
async def slow_thread():
    """Likewise, by a call in a thread that is given up in the end."""

    async def work():
        with trio.move_on_after(600):
            run = trio.to_thread.run_sync
            named = "abandon_on_cancel" if "abandon_on_cancel" in inspect.signature(run).parameters else "cancellable"
            await run(threading.Event().wait, **{named: True})

    await serve(work)


if __name__ == "__main__":
    trio.run(MODES[sys.argv[1]])
