# SPDX-License-Identifier: Apache-2.0
"""Waits that nobody can end, and what is behind the process that is waited for."""

import contextlib
import os
import pty
import subprocess

import pytest

from harness import places, quota, snoop

HEAD = """
import asyncio, concurrent.futures, fcntl, multiprocessing, os, subprocess, sys, threading, time
loop = asyncio.new_event_loop()
async def answer():
    return 1
def serve(call):
    print("ready", os.getpid(), flush=True)
    loop.call_later(1.5, call)
    loop.run_forever()
"""

OWN_RESULT = """
def subscribe():
    return asyncio.run_coroutine_threadsafe(answer(), loop).result()
serve(subscribe)
"""

IDLE_POOL = """
pool = concurrent.futures.ThreadPoolExecutor(2)
list(pool.map(time.sleep, [0.1, 0.1]))
def subscribe():
    return asyncio.run_coroutine_threadsafe(answer(), loop).result()
serve(subscribe)
"""

JOINED = """
def ask():
    return asyncio.run_coroutine_threadsafe(answer(), loop).result()
def subscribe():
    thread = threading.Thread(target=ask, name="asks")
    thread.start()
    thread.join()
serve(subscribe)
"""

# A pool's worker that computes may be about to set it.
BUSY_POOL = """
def work(done):
    time.sleep(8)
    done.set()
def subscribe():
    done = threading.Event()
    threading.Thread(target=work, args=(done,)).start()
    done.wait()
serve(subscribe)
"""

FORKED = """
lock = threading.Lock()
def child():
    global loop
    loop = asyncio.new_event_loop()
    serve(render)
def render():
    with lock:
        return 1
def hold():
    with lock:
        time.sleep(20)
threading.Thread(target=hold, daemon=True).start()
time.sleep(0.1)
worker = multiprocessing.get_context("fork").Process(target=child)
worker.start()
worker.join()
"""

FULL_PIPE = """
def convert():
    tool = subprocess.Popen([sys.executable, "-c", "print('x' * 150000)"], stdout=subprocess.PIPE)
    tool.wait()
serve(convert)
"""


@contextlib.contextmanager
def running(folder, code, name="shop.py", stdout=subprocess.PIPE):
    (folder / name).write_text(HEAD + code, encoding="utf-8")
    process = subprocess.Popen([places.SYSTEM_PYTHON, folder / name], stdout=stdout, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        process.wait()


def hang_of(folder, code):
    """The stall as it is reported while it goes on."""
    with running(folder, code) as process:
        word, pid = process.stdout.readline().split()
        assert word == b"ready"
        with snoop.Snoop("-p", int(pid), "--hang-after", "500ms", folder=folder) as snooping:
            hang = snooping.ongoing()
            snooping.stop()
        process.stdout.close()
    return hang


@pytest.mark.parametrize(
    "code, why, words",
    [
        (OWN_RESULT, "only_thread", "waiting for a concurrent.futures.Future in subscribe ({}:12); no other thread can end this: the process has only this one"),
        (IDLE_POOL, "others_idle", "; no other thread can end this: all 2 others wait for work"),
        (JOINED, "each_other", "; each waits for the other: a deadlock"),
        (FORKED, "before_fork", "waiting for a threading.Lock in render ({}:17); held since before the fork, by a thread that does not exist in this process"),
        (FULL_PIPE, "each_other", ", which is in write() to a full pipe that only this process reads; in convert ({}:13); each waits for the other: a deadlock"),
        (BUSY_POOL, None, "waiting for a threading.Event"),
    ],
    ids=["own-result", "idle-pool", "joined", "forked", "full-pipe", "busy-pool"],
)
def test_nobody_can_end_it(code, why, words, folder):
    hang = hang_of(folder, code)
    assert hang.get("no_end") == why, hang["summary"]
    assert words.format(folder / "shop.py") in hang["summary"], hang["summary"]
    if why is None:
        assert "can end" not in hang["summary"]


def test_other_end_of_a_terminal(folder):
    """print() to a terminal that nobody reads: who has its other end."""
    own, other = pty.openpty()
    code = "def basket():\n    while True:\n        print('x' * 1000)\nserve(basket)\n"
    with running(folder, code, stdout=other) as process:
        os.close(other)
        assert b"ready" in os.read(own, 1000)
        with snoop.Snoop("-p", process.pid, "--hang-after", "500ms", folder=folder) as snooping:
            hang = snooping.ongoing()
            snooping.stop()
    os.close(own)
    assert (hang["cause"], hang["culprit"]["function"]) == ("pipe", "basket"), hang
    (wait,) = [wait for wait in hang["waits"] if wait["ongoing"]]
    assert wait["resource"]["path"].startswith("/dev/pts/") and wait["resource"]["peer"]["pid"] == os.getpid(), wait
    assert f"writing to terminal {wait['resource']['path']}, which is not read by " in hang["summary"] and f"(pid {os.getpid()})" in hang["summary"]


def test_throttling_is_shown_by_name_and_limit(folder):
    code = "def digest():\n    end = time.process_time() + 0.06\n    while time.process_time() < end:\n        pass\n    loop.call_later(0.2, digest)\nserve(digest)\n"
    with running(folder, code) as process:
        assert b"ready" in process.stdout.readline()
        with quota.limited(process.pid, 10_000) as group:
            with snoop.Snoop("-p", process.pid, "-d", "4s", folder=folder) as snooping:
                recording = snooping.finish()
        process.stdout.close()
    throttled = [stall for stall in recording.stalls() if stall["cause"] == "runqueue" and "limit" in stall]
    assert throttled, [stall["summary"] for stall in recording.stalls()]
    name = os.path.basename(str(group))
    for stall in throttled:
        assert stall["limit"]["path"].endswith(name) and stall["limit"]["cpu_quota_ns"] == 10_000_000 and stall["limit"]["cpu_period_ns"] == 100_000_000
        assert f"{name} was throttled for " in stall["summary"] and "10 ms of CPU in each 100 ms" in stall["summary"]
    assert f"CPU limit of cgroup {throttled[0]['limit']['path']}" in " ".join(snooping.text().split())
