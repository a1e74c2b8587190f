# SPDX-License-Identifier: Apache-2.0
"""`loopsnoop dump`: a snapshot of every thread of a process, whatever state it is in."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import time

import pytest
import redis

from harness import dump, places, servers, snoop, target, waiting


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


def functions(stack, part):
    return [frame["function"] for frame in stack[part]]


def test_running_thread():
    with child([places.native("spinner")], stdout=subprocess.DEVNULL) as spinning:
        waiting.until(lambda: waiting.state_of(spinning.pid) == "R", "it to run")
        record = dump.take(spinning.pid)
        text = dump.text(spinning.pid)
    (thread,) = record["threads"]
    assert thread["state"] in ("running", "runnable")
    assert thread["sampled"] is True and thread["resource"] is None and thread["waited_ns"] is None
    main = next(frame for frame in thread["stack"]["native"] if frame["function"] == "main")
    assert main["file"].endswith("spinner.c") and "monotonic_ns() < start_ns" in pathlib.Path(main["file"]).read_text().splitlines()[main["line"] - 1]
    assert "sampled while it computed" in text and "main " in text and "spinner.c:" in text


def test_threads_that_compute(folder):
    """Several at once, on fewer CPUs: each in the function that it is in."""
    with target.Target([places.native("computes"), 5], folder) as computing:
        computing.hear("ready")
        main = computing.pid
        waiting.until(lambda: len(os.listdir(f"/proc/{main}/task")) == 6, "the thread that said so to end")
        tids = sorted(int(tid) for tid in os.listdir(f"/proc/{main}/task"))
        record = dump.take(main)
        assert waiting.state_of(main) == "R"
    threads = {each["tid"]: each for each in record["threads"]}
    assert sorted(threads) == tids
    for kind, tid in enumerate(tids):
        thread = threads[tid]
        assert thread["sampled"] is True and "no_stack" not in thread
        names = functions(thread["stack"], "native")
        wanted = [{"sort_rows"}, {"hash_rows"}, {"sort_rows", "hash_rows"}][kind % 3]
        assert names[0] in wanted and names[1] == "compute", (kind, names)


def test_more_threads_compute_than_are_sampled(folder):
    with target.Target(["nice", "-n", "5", places.native("computes"), 19], folder) as computing:
        computing.hear("ready")
        waiting.until(lambda: len(os.listdir(f"/proc/{computing.pid}/task")) == 20, "the thread that said so to end")
        record = dump.take(computing.pid)
        text = dump.text(computing.pid)
    sampled = [each for each in record["threads"] if each.get("sampled")]
    without = [each["no_stack"] for each in record["threads"] if not each["stack"]]
    assert len(record["threads"]) == 20 and len(sampled) + len(without) == 20
    # Twenty threads on a CPU or two: some of the sixteen may not have had their turn.
    assert 1 <= len(sampled) <= 16 and set(without) <= {"too_many", "not_run"} and without.count("too_many") == 4
    assert "no stack: more threads compute than are sampled" in text and "threads like this" in text


def test_node_that_computes(folder):
    script = places.ROOT / "tests/targets/node/spins.js"
    with target.Target(["node", script], folder) as node:
        node.hear("ready")
        record = waiting.until(lambda: with_main(dump.take(node.pid), "javascript"), "its names")
        text = dump.text(node.pid)
    frame = record["stack"]["javascript"][0]
    line = next(number for number, text in enumerate(script.read_text().splitlines(), 1) if "for (let i = 0" in text)
    assert record["sampled"] is True
    assert frame["function"].endswith("refresh") and frame["file"] == str(script) and frame["line"] in (line, line - 2), frame
    assert "refresh" in text and "spins.js" in text


def with_main(record, part):
    """The main thread, if it has that part of a stack."""
    main = next(each for each in record["threads"] if each["tid"] == record["pid"])
    return main if main["stack"] and main["stack"].get(part) else None


def test_redis_in_a_long_script(folder):
    """A program of its distribution's, without debug information."""
    with servers.redis(folder / "redis") as port:
        pid = redis.Redis("127.0.0.1", port).info("server")["process_id"]
        asking = subprocess.Popen(
            ["redis-cli", "-p", str(port), "EVAL", "while true do end", "0"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            waiting.until(lambda: waiting.state_of(pid) == "R", "the script to run")
            main = waiting.until(lambda: with_main(dump.take(pid), "native"), "its stack")
        finally:
            asking.kill()
            asking.wait()
    assert main["sampled"] is True
    assert any(frame["module"] and "redis" in frame["module"] for frame in main["stack"]["native"]), main["stack"]
    assert len(main["stack"]["native"]) > 3, main["stack"]


SORTS = """
import threading
rows = [str(n) for n in range(300_000)]
def sort():
    while True:
        sorted(rows, key=len)  # here
threading.Thread(target=sort, daemon=True).start()
print("ready", flush=True)
threading.Event().wait()
"""


def test_python_thread_that_computes(folder):
    """Its frames of Python and those of the interpreter are of one moment."""
    (folder / "sorts.py").write_text(SORTS)
    with target.Target([places.SYSTEM_PYTHON, folder / "sorts.py"], folder) as python:
        python.hear("ready")
        record = dump.take(python.pid)
        text = dump.text(python.pid)
    (thread,) = [each for each in record["threads"] if each["tid"] != python.pid]
    line = next(number for number, text in enumerate(SORTS.splitlines(), 1) if "# here" in text)
    assert thread["sampled"] is True
    innermost = thread["stack"]["python"][0]
    assert (innermost["function"], innermost["file"], innermost["line"]) == ("sort", str(folder / "sorts.py"), line)
    assert any(frame["module"] and "python3" in frame["module"] for frame in thread["stack"]["native"])
    assert "sampled while it computed" in text and "native: " in text


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
