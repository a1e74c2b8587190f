# SPDX-License-Identifier: Apache-2.0
"""`loopsnoop dump`: a snapshot of every thread of a process, whatever state it is in."""

import contextlib
import json
import os
import signal
import subprocess
import time

import pytest

from harness import dump, places, snoop, target, waiting


@contextlib.contextmanager
def child(command, **more):
    process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, **more)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait()


def switches(pid):
    """How often the threads of a process have gone off CPU, by tid: who is stopped or made to run shows here."""
    counts = {}
    for tid in os.listdir(f"/proc/{pid}/task"):
        for line in waiting.proc(pid, "status", tid).splitlines():
            if "ctxt_switches" in line:
                counts[tid] = counts.get(tid, 0) + int(line.split()[1])
    return counts


def test_process_without_a_loop():
    with child(["sleep", "100"]) as sleeping:
        dump.until_asleep(sleeping.pid, sleeping.pid, number=230)
        before = switches(sleeping.pid)
        record = dump.take(sleeping.pid)
        text = dump.text(sleeping.pid)
        assert switches(sleeping.pid) == before, "the target noticed nothing"
    assert record["comm"] == "sleep"
    (thread,) = record["threads"]
    assert thread["tid"] == sleeping.pid
    assert (thread["state"], thread["cause"], thread["syscall"]) == ("sleeping", "sleep", "clock_nanosleep")
    assert thread["resource"] == {"kind": "timer", "requested_ns": 100_000_000_000}
    assert thread["waited_ns"] is None, "nobody was there when it went to sleep"
    assert thread["holds_gil"] is None
    assert any(frame["function"] and "nanosleep" in frame["function"] for frame in thread["stack"]["native"])
    assert thread["stack"]["kernel"]
    assert "deadlock" not in record
    assert f"{sleeping.pid} sleep (main thread): sleeping in clock_nanosleep(), requested 100 s" in text


def test_stopped_process(folder):
    """SIGSTOP, with its threads: neither hangs the dump, nor is it set going."""
    with dump.locked(folder, "two") as (process, truth):
        dump.until_asleep(process.pid, *(each["tid"] for each in truth["threads"]), truth["main"]["tid"])
        os.kill(process.pid, signal.SIGSTOP)
        waiting.until(lambda: waiting.state_of(process.pid) == "T", "it to stop")
        record = dump.take(process.pid)
        assert waiting.state_of(process.pid) == "T"
    assert len(record["threads"]) == 3
    assert all(each["state"] == "stopped" and each["cause"] == "stopped" for each in record["threads"])
    assert all(each["stack"]["native"] for each in record["threads"])


def test_healthy_loop(folder):
    with target.python_loop(folder, count=1) as loop:
        loop.hear("ready")
        record = dump.take(loop.pid)
        text = dump.text(loop.pid)
        loop.go()
        loop.hear("done")
        loop.end()
    main = next(each for each in record["threads"] if each["tid"] == loop.pid)
    assert main["state"] == "sleeping"
    assert main["syscall"] in ("epoll_wait", "epoll_pwait")
    assert any(frame["function"].endswith("select") for frame in main["stack"]["python"])
    assert "(main thread)" in text and "asyncio" in text


def test_running_thread():
    with child([places.native("spinner")], stdout=subprocess.DEVNULL) as spinning:
        waiting.until(lambda: waiting.state_of(spinning.pid) == "R", "it to run")
        record = dump.take(spinning.pid)
    (thread,) = record["threads"]
    assert thread["state"] in ("running", "runnable")
    assert thread["stack"] is None and thread["resource"] is None and thread["waited_ns"] is None


HOLDS_THE_GIL = """
import ctypes, threading, time
libc = ctypes.PyDLL(None)  # calls through PyDLL keep the GIL
print("ready", flush=True)
threading.Thread(target=time.sleep, args=(0.2,)).start()
libc.sleep(60)
"""


def test_holder_of_the_gil(folder):
    with target.Target([places.SYSTEM_PYTHON, "-c", HOLDS_THE_GIL], folder) as python:
        python.hear("ready")

        def stuck():
            others = {int(tid) for tid in os.listdir(f"/proc/{python.pid}/task")} - {python.pid}
            asleep = waiting.sleeps_in(python.pid, python.pid, 230) and others
            return asleep and all(waiting.sleeps_in(python.pid, tid, dump.FUTEX) for tid in others)

        waiting.until(stuck, "the other thread to want the GIL")

        # Whoever wants the GIL wakes up every 5 ms to ask for it: a snapshot may find the thread running.
        def caught():
            record = dump.take(python.pid)
            return record if any(each["cause"] == "gil" for each in record["threads"]) else None

        record = waiting.until(caught, "a snapshot while it sleeps")
        waiting.until(lambda: "holds the GIL, holds up 1 thread" in dump.text(python.pid), "the text to say so")
    threads = {each["tid"]: each for each in record["threads"]}
    assert threads.pop(python.pid)["holds_gil"] is True
    (other,) = threads.values()
    assert other["holds_gil"] is False
    assert other["cause"] == "gil"
    assert other["resource"]["lock"] == "gil"
    assert other["resource"]["holder"]["tid"] == python.pid
    assert other["resource"]["holder"]["how"] == "owner field"
    assert "deadlock" not in record


def test_threads_alike_are_shown_once(folder):
    with dump.locked(folder, "idle", "12") as (process, _truth):
        tids = waiting.until(
            lambda: [int(tid) for tid in os.listdir(f"/proc/{process.pid}/task") if int(tid) != process.pid], "its threads"
        )
        assert len(tids) == 12
        dump.until_asleep(process.pid, *tids)
        record = dump.take(process.pid)
        text = dump.text(process.pid)
        verbose = dump.text(process.pid, "-v")
    assert {each["tid"] for each in record["threads"]} == {process.pid, *tids}
    assert text.count("idler_") == 4 and "12 threads like this (" in text
    assert all(f"{tid} idler_" in verbose for tid in tids)
    assert all(each["resource"]["holder"] is None for each in record["threads"] if each["tid"] != process.pid)
    assert "deadlock" not in record


def test_thousand_threads(folder):
    with dump.locked(folder, "idle", "1000") as (process, _truth):
        tids = [int(tid) for tid in os.listdir(f"/proc/{process.pid}/task") if int(tid) != process.pid]
        assert len(tids) == 1000
        dump.until_asleep(process.pid, *tids)
        before = time.monotonic_ns()
        stolen = waiting.stolen_ns()
        record = dump.take(process.pid)
        taken = time.monotonic_ns() - before - (waiting.stolen_ns() - stolen)
    assert len(record["threads"]) == 1001
    assert all(each["stack"] and each["stack"]["native"] for each in record["threads"])
    assert record["look_ns"] < 200_000_000, "the snapshot itself"
    assert taken < 10_000_000_000, f"took {taken / 1e9:.1f} s"


def test_leaves_at_once():
    """No tracepoint is attached: the kernel has nothing to wait for. Following and leaving takes two seconds."""
    with child(["sleep", "100"]) as sleeping:
        times = []
        for _ in range(5):
            before = time.monotonic_ns()
            dump.take(sleeping.pid)
            times.append(time.monotonic_ns() - before)
    assert min(times) < 1_500_000_000, times


def test_report_reads_it(folder):
    with child(["sleep", "100"]) as sleeping:
        dump.until_asleep(sleeping.pid, sleeping.pid, number=230)
        result = snoop.run_plain("dump", "-p", sleeping.pid, "--json")
    path = folder / "dump.json"
    path.write_text(result.stdout)
    report = snoop.run_plain("report", path)
    assert report.returncode == 0 and report.stderr == ""
    started_at = json.loads(result.stdout)["started_at"]
    assert report.stdout.startswith(f"sleep (pid {sleeping.pid}): 1 thread, {started_at}\n")
    assert "sleeping in clock_nanosleep(), requested 100 s" in report.stdout


def test_reader_that_is_gone():
    with child(["sleep", "100"]) as sleeping:
        command = f"{places.LOOPSNOOP} dump -p {sleeping.pid} | true; echo ${{PIPESTATUS[0]}}"
        result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=waiting.PATIENCE_S)
    assert result.stdout.strip() == "0" and result.stderr == ""


@pytest.mark.parametrize("which", ["none", "thread", "kernel"])
def test_wrong_pid(which, folder):
    with dump.locked(folder, "idle", "1") as (process, _truth):
        thread = next(int(tid) for tid in os.listdir(f"/proc/{process.pid}/task") if int(tid) != process.pid)
        pid = {"none": 4_000_000, "thread": thread, "kernel": 2}[which]
        result = snoop.run_plain("dump", "-p", pid)
    assert result.returncode == 1
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"loopsnoop: cannot dump (pid {pid})")
    assert {"none": "No such process", "thread": f"use -p {process.pid}", "kernel": "kernel thread"}[which] in line


def test_needs_root():
    with child(["sleep", "100"]) as sleeping:
        result = snoop.run_plain("dump", "-p", sleeping.pid, user="nobody")
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert "root" in line
