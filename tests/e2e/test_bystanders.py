# SPDX-License-Identifier: Apache-2.0
"""Masters, supervisors, shells and idle workers: they wait for hours, and nobody waits for them."""

import contextlib
import os
import signal
import subprocess
import sys

import pytest

from harness import places, servers, snoop, target, waiting

WORKERS = """
import asyncio, multiprocessing, os, sys
from concurrent.futures import ProcessPoolExecutor

def mute(_number):
    return os.getpid()

async def main(kind):
    context = multiprocessing.get_context("spawn" if kind == "pool" else "fork")
    if kind == "executor":
        pool = ProcessPoolExecutor(2, mp_context=context)
        made = [pool.submit(mute, number).result() for number in range(2)]
    elif kind == "pool":
        pool = context.Pool(2)
        made = pool.map(mute, range(2))
    else:
        queue = context.Queue()
        pool = [context.Process(target=serve, args=(queue,)) for _ in range(2)]
        for worker in pool:
            worker.start()
    print("ready", flush=True)
    while True:
        await asyncio.sleep(0.05)

def serve(queue):
    while True:
        queue.get()

if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
"""

# Holds what its workers listen on, and watches them: asleep for good, or twice a second.
MASTER = """
import os, select, signal, socket, subprocess, sys, threading, time
listening = socket.create_server(("127.0.0.1", int(sys.argv[2])))
worker = os.fork()
if worker == 0:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    queue = select.epoll()
    queue.register(listening.fileno(), select.EPOLLIN)
    while True:
        for _ in queue.poll(0.05):
            connection, _address = listening.accept()
            if connection.recv(100) == b"block":
                time.sleep(3600)
            connection.sendall(b"here")
            connection.close()
print("ready", worker, flush=True)
if sys.argv[1] == "signals":
    signal.sigwait({signal.SIGHUP})
elif sys.argv[1] == "pause":
    signal.pause()
elif sys.argv[1] == "children":
    os.wait()
elif sys.argv[1] == "event":
    event = threading.Event()
    while not event.wait(0.5):
        pass
else:
    while True:
        time.sleep(0.7)
"""

QUIET = ("--hang-after", "300ms", "--fail-on-stall", "-d", "1500ms")


def quiet(folder, *arguments):
    with snoop.Snoop(*arguments, *QUIET, folder=folder) as snooping:
        recording = snooping.finish(0)
        text = snooping.text()
    assert recording.of("stall") == [], text
    assert "blocked" not in text and "startup" not in text, text
    return recording, text


@contextlib.contextmanager
def tree(command, folder):
    """A process with all below it, in a session of their own: gone in the end."""
    with target.Target(["setsid", *command], folder) as top:
        try:
            yield top
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(top.pid, signal.SIGKILL)


@pytest.mark.parametrize("kind", ["pool", "executor", "processes"])
def test_idle_workers(kind, folder):
    script = folder / "workers.py"
    script.write_text(WORKERS)
    with tree([places.SYSTEM_PYTHON, script, kind], folder) as top:
        top.hear("ready")
        quiet(folder, "--children", "-p", top.pid)


@pytest.mark.parametrize("kind", ["signals", "pause", "children", "event", "sleeps"])
def test_masters(kind, folder):
    script = folder / "master.py"
    script.write_text(MASTER)
    with tree([places.SYSTEM_PYTHON, script, kind, servers.free_port()], folder) as top:
        worker = int(top.hear("ready").split()[1])
        recording, text = quiet(folder, "-p", top.pid)
        assert [loop["pid"] for loop in recording.of("loop")] == [worker]
        assert f"(pid {top.pid}) has its work done by a process below it (pid {worker}): followed, too" in text
        assert recording.of("session")[0]["workers"][0]["children"] == [worker]


def test_a_worker_of_a_master_that_blocks(folder):
    script = folder / "master.py"
    script.write_text(MASTER)
    port = servers.free_port()
    with tree([places.SYSTEM_PYTHON, script, "event", port], folder) as top:
        worker = int(top.hear("ready").split()[1])
        with snoop.Snoop("-p", top.pid, "--hang-after", "300ms", folder=folder) as snooping:
            snooping.session()
            asking = subprocess.Popen([sys.executable, "-c", f"import socket; s = socket.create_connection(('127.0.0.1', {port})); s.send(b'block'); s.recv(1)"])
            try:
                stall = snooping.ongoing()
                snooping.stop()
            finally:
                asking.kill()
                asking.wait()
    assert (stall["pid"], stall["cause"]) == (worker, "sleep")


@pytest.mark.parametrize("command", ["sleep 60; true", "sleep 60 | cat"])
def test_shells(command, folder):
    with tree(["sh", "-c", command], folder) as top:
        waiting.until(lambda: waiting.proc(top.pid, f"task/{top.pid}/children").split(), "a child")
        recording, _text = quiet(folder, "-p", top.pid)
        assert recording.of("loop") == []
