# SPDX-License-Identifier: Apache-2.0
"""`loopsnoop tasks`: a snapshot of every task of asyncio's loops, while the process runs on."""

import contextlib
import json
import pathlib
import subprocess
import sys

from harness import places, schema, waiting

SCRIPT = pathlib.Path(__file__).parents[1] / "unit/runtimes/python/tasks.py"
PYTHON = "/usr/bin/python3"


@contextlib.contextmanager
def running(command):
    process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        lines = []
        for line in process.stdout:
            if line.strip() == "ready":
                break
            lines.append(line.rstrip("\n").split("\t"))
        yield process, lines
    finally:
        process.kill()
        process.wait()


def loopsnoop(*arguments):
    return subprocess.run([str(places.LOOPSNOOP), *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False)


def switches(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return [line for line in text.splitlines() if "ctxt_switches" in line]


def test_every_task_is_shown_as_it_is():
    with running([PYTHON, "-B", SCRIPT]) as (process, truth):
        waiting.until(lambda: waiting.sleeps_in(process.pid, process.pid, 232), "the target in epoll_wait()")
        before = switches(process.pid)
        result = loopsnoop("tasks", "-p", process.pid, "--json")
        assert result.returncode == 0, result.stderr
        assert switches(process.pid) == before, "the target noticed nothing"
    record = json.loads(result.stdout)
    assert (record["type"], record["pid"], record["overtaken"], record["notes"]) == ("tasks", process.pid, False, [])
    tasks = {task["name"]: task for loop in record["loops"] for task in loop["tasks"]}
    checked = 0
    for kind, *words in truth:
        if kind != "task":
            continue
        name, what, line, function, holder = words[:5]
        task = tasks[name]
        assert task["waits_for"]["kind"] == what, name
        assert task["state"] == "pending"
        own = next(frame for frame in task["stack"]["python"] if frame["file"] == str(SCRIPT))
        assert (own["line"], own["function"]) == (int(line), function), name
        assert [one["name"] for one in task["waits_for"].get("holders", [])] == ([holder] if holder != "-" else []), name
        checked += 1
    assert checked == 19
    main = next(loop for loop in record["loops"] if loop["tid"] == process.pid)
    assert (main["framework"], main["running"], main["ready"]) == ("asyncio", None, 0)
    assert tasks["sleep"]["id"] in tasks["gather"]["waits_for"]["tasks"]
    assert tasks["gather"]["id"] in tasks["sleep"]["awaited_by"]
    assert tasks["socket"]["waits_for"]["resource"]["protocol"] == "unix"


def test_as_a_tree():
    with running([PYTHON, "-B", SCRIPT]) as (process, _):
        text = loopsnoop("tasks", "-p", process.pid).stdout
        dump = loopsnoop("dump", "-p", process.pid).stdout
    assert f"(pid {process.pid}): 22 tasks" in text
    assert "3 tasks (lock0, lock1, lock2) Service.want_lock: waits for asyncio.Lock, as 2 others do; probably held by holder" in text \
        or "3 tasks (" in text and "waits for asyncio.Lock, as 2 others do; probably held by holder" in text
    assert "waits for a future that nobody known will set" in text
    lines = text.splitlines()
    gather = next(number for number, line in enumerate(lines) if line.startswith("  gather gatherer: waits for 2 tasks (asyncio.gather)"))
    below = "\n".join(lines[gather:gather + 12])
    assert "\n    sleep sleep_plain" in below or "\n    future bare" in below
    assert f"loop of thread {process.pid} (asyncio, _UnixSelectorEventLoop): 21 tasks" in dump
    assert "3 tasks in Service.want_lock" in dump


GEVENT = """
from gevent import monkey
monkey.patch_all()
import gevent, gevent.lock, socket, sys
lock = gevent.lock.BoundedSemaphore(1)
one, other = socket.socketpair()
def hold():
    with lock:
        gevent.sleep(1000)  # at: hold
def want():
    with lock:  # at: want
        pass
def read():
    one.recv(10)  # at: read
greenlets = [gevent.spawn(hold)]
gevent.sleep(0.05)
greenlets += [gevent.spawn(want) for _ in range(3)] + [gevent.spawn(read)]
gevent.sleep(0.05)
print("ready", flush=True)
gevent.joinall(greenlets)
"""


def test_greenlets_of_gevent(folder):
    script = folder / "greenlets.py"
    script.write_text(GEVENT)
    lines = {text.split("# at: ")[1]: number for number, text in enumerate(GEVENT.splitlines(), 1) if "# at: " in text}
    with running([PYTHON, "-B", script]) as (process, _):
        result = loopsnoop("tasks", "-p", process.pid, "--json")
        text = loopsnoop("tasks", "-p", process.pid).stdout
    assert result.returncode == 0, result.stderr
    (loop,) = [loop for loop in json.loads(result.stdout)["loops"] if loop["framework"] == "gevent"]
    assert loop["tid"] == process.pid
    found = {}
    for task in loop["tasks"]:
        found.setdefault(task["coroutine"], []).append(task)
    assert {name: len(tasks) for name, tasks in found.items() if name in lines} == {"hold": 1, "want": 3, "read": 1}
    for name, line in lines.items():
        assert all(task["culprit"] == {"function": name, "file": str(script), "line": line} for task in found[name]), found[name]
    assert found["hold"][0]["waits_for"]["kind"] == "sleep"
    assert found["read"][0]["waits_for"]["kind"] == "socket"
    assert "3 tasks" in text


def test_dump_and_report_show_tasks(folder):
    with running([PYTHON, "-B", SCRIPT]) as (process, _truth):
        record = json.loads(loopsnoop("dump", "-p", process.pid, "--json").stdout)
        tasks = loopsnoop("tasks", "-p", process.pid, "--json").stdout
    schema.check_record(0, record)
    main = next(loop for loop in record["loops"] if loop["tid"] == process.pid)
    assert (main["framework"], main["tasks"], main["ready"]) == ("asyncio", 21, 0)
    assert any(group["count"] == 3 and group["culprit"]["function"].endswith("want_lock") for group in main["groups"])
    path = folder / "recording.jsonl"
    path.write_text(json.dumps(record) + "\n" + tasks)
    text = loopsnoop("report", path).stdout
    assert "3 tasks in Service.want_lock" in text
    assert f"(pid {process.pid}): 22 tasks" in text and "waits for a future that nobody known will set" in text


def test_processes_without_tasks():
    with running([sys.executable if sys.executable.startswith("/usr") else PYTHON, "-u", "-c",
                  "print('ready'); import time; time.sleep(100)"]) as (process, _):
        result = loopsnoop("tasks", "-p", process.pid)
        assert result.returncode == 0
        assert "no loop of asyncio, Trio or gevent is in it" in result.stdout
    sleeping = subprocess.Popen(["sleep", "100"])
    try:
        result = loopsnoop("tasks", "-p", sleeping.pid)
    finally:
        sleeping.kill()
        sleeping.wait()
    assert result.returncode == 1
    assert "no CPython is found in it" in result.stderr
    assert loopsnoop("tasks").returncode == 2


def test_a_computing_thread_has_a_stack_in_dump():
    code = "def burn():\n    while True:\n        pass\nprint('ready', flush=True)\nburn()\n"
    with running([PYTHON, "-c", code]) as (process, _):
        text = loopsnoop("dump", "-p", process.pid).stdout
    assert "burn" in text
    assert "no stack" not in text
