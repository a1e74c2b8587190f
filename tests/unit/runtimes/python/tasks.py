# SPDX-License-Identifier: Apache-2.0
"""Tasks of asyncio that wait for each kind of thing. Prints what is known of each, then "ready", and stays so.

Runs on CPython 3.9 and later. Argument: "uvloop" for that loop, "python" for tasks written in Python, "eager" (3.12) for eager ones, "subclass".
A line a task: "task NAME KIND LINE FUNCTION HOLDER WAITERS AWAITED" separated by tabs: LINE and FUNCTION of its innermost frame in this file;
HOLDER is the name of the task that has what it waits for, "-" none; WAITERS how many wait for it; AWAITED the names of the tasks it waits for.
"""
import asyncio
import concurrent.futures
import socket
import sys
import threading
import time

HERE = {}
# Since 3.14 a task written in Python is not the current one for asyncio.timeout(), which then refuses.
TIMEOUTS = "python" not in sys.argv or sys.version_info < (3, 14)
EVENT_WAITERS = 3 if TIMEOUTS else 2
WHAT = sys.argv[1:]
EXPECTED = []


def mark():
    with open(__file__, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if "# at: " in line and "mark" not in line:
                HERE[line.split("# at: ")[1].strip()] = number


def expect(name, kind, function, holder="-", waiters="-", awaited=(), line=None):
    EXPECTED.append("\t".join(("task", name, kind, str(HERE[line or name]), function, holder, str(waiters), ",".join(sorted(awaited)))))


class Service:
    def __init__(self):
        self.lock = asyncio.Lock()
        self.held = asyncio.Semaphore(1)

    async def hold(self, event):
        async with self.lock, self.held:
            await event.wait()  # at: holder

    async def want_lock(self):
        async with self.lock:  # at: lock
            pass

    async def want_slot(self):
        await asyncio.sleep(0)
        async with self.held:  # at: semaphore
            pass


async def sleeper():
    await asyncio.sleep(
        3000)  # at: sleep_end


async def sleep_plain():
    await asyncio.sleep(5000)  # at: sleep


async def with_timeout(event):
    await asyncio.wait_for(event.wait(), 4000)  # at: timeout


async def getter(queue):
    return await queue.get()  # at: queue_get


async def putter(queue):
    await queue.put(1)  # at: queue_put


async def condition_waiter(condition):
    async with condition:
        await condition.wait()  # at: condition


async def bare(future):
    await future  # at: future


async def joiner(task):
    await task  # at: task


async def gatherer(*tasks):
    await asyncio.gather(*tasks)  # at: gather


async def waiter(tasks):
    await asyncio.wait(tasks)  # at: wait


async def in_thread(event):
    await asyncio.get_running_loop().run_in_executor(POOL, nap, event)  # at: executor


async def queued(event):
    await asyncio.get_running_loop().run_in_executor(POOL, event.wait)  # at: queued


async def reader(stream):
    await stream.read(10)  # at: socket


async def child():
    process = await asyncio.create_subprocess_exec("sleep", "1000")
    await process.wait()  # at: process


async def generate(event):
    yield 1
    await event.wait()  # at: generator
    yield 2


async def over_generator(event):
    async for _ in generate(event):
        pass


def nap(event):
    event.wait()


POOL = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="worker")


class MyTask(asyncio.tasks._PyTask if "python" in WHAT else asyncio.Task):
    pass


async def main():
    mark()
    loop = asyncio.get_running_loop()
    if "python" in WHAT or "subclass" in WHAT:
        loop.set_task_factory(lambda loop, coro, **named: MyTask(coro, loop=loop, **named))
    if "eager" in WHAT:
        loop.set_task_factory(asyncio.eager_task_factory)
    asyncio.current_task().set_name("main")
    tasks = {}

    def start(name, coroutine):
        tasks[name] = asyncio.create_task(coroutine)
        tasks[name].set_name(name)
        return tasks[name]

    event = asyncio.Event()
    start("holder", Service.hold(service := Service(), event))
    expect("holder", "event", "Service.hold", waiters=EVENT_WAITERS)
    await asyncio.sleep(0.01)
    for number in range(3):
        start(f"lock{number}", service.want_lock())
        expect(f"lock{number}", "lock", "Service.want_lock", "holder", 3, line="lock")
    start("semaphore", service.want_slot())
    expect("semaphore", "semaphore", "Service.want_slot", "holder", 1)
    start("sleep", sleep_plain())
    expect("sleep", "sleep", "sleep_plain")
    if sys.version_info < (3, 12):
        start("timeout", with_timeout(event))
        expect("timeout", "task", "with_timeout", awaited=["?"])
    elif TIMEOUTS:
        start("timeout", with_timeout(event))
        expect("timeout", "event", "with_timeout", waiters=EVENT_WAITERS)
    start("generator", over_generator(event))
    expect("generator", "event", "generate", waiters=EVENT_WAITERS)
    queue = asyncio.Queue(1)
    start("queue_get", getter(empty := asyncio.Queue()))
    expect("queue_get", "queue_get", "getter", waiters=1)
    queue.put_nowait(0)
    start("queue_put", putter(queue))
    expect("queue_put", "queue_put", "putter", waiters=1)
    condition = asyncio.Condition()
    start("condition", condition_waiter(condition))
    expect("condition", "condition", "condition_waiter", waiters=1)
    future = loop.create_future()
    start("future", bare(future))
    expect("future", "future", "bare")
    start("task", joiner(tasks["sleep"]))
    expect("task", "task", "joiner", awaited=["sleep"])
    start("gather", gatherer(tasks["sleep"], tasks["future"]))
    expect("gather", "tasks", "gatherer", awaited=["sleep", "future"])
    start("wait", waiter([tasks["task"], tasks["future"]]))
    expect("wait", "tasks", "waiter", awaited=["task", "future"])
    thread_event = threading.Event()
    start("executor", in_thread(thread_event))
    expect("executor", "executor", "in_thread")
    await asyncio.sleep(0.01)
    start("queued", queued(thread_event))
    expect("queued", "executor", "queued")
    server, client = socket.socketpair()
    stream, _ = await asyncio.open_connection(sock=client)
    start("socket", reader(stream))
    expect("socket", "socket", "reader")
    start("process", child())
    expect("process", "process", "child")
    await asyncio.sleep(0.2)
    for line in EXPECTED:
        print(line)
    print("count", len(EXPECTED), sep="\t")
    print("fd", client.fileno(), sep="\t")
    print("ready", flush=True)
    await asyncio.sleep(10000)
    print(server, empty)


def other_loop():
    async def lonely():
        asyncio.current_task().set_name("lonely")
        await asyncio.sleep(10000)

    asyncio.run(lonely())


threading.Thread(target=other_loop, daemon=True, name="other").start()
time.sleep(0.1)
if "uvloop" in WHAT:
    import uvloop
    uvloop.install() if sys.version_info < (3, 12) else asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
asyncio.run(main())
