# SPDX-License-Identifier: Apache-2.0
"""Loops with nothing wrong give no stall, whatever else the machine does; loops with something wrong are reported right on a busy one."""

import json
import os
import signal
import subprocess
import time

import pytest

from harness import follow, match, places, snoop, target, waiting

MS = match.MS


def watch(light, folder, seconds, *arguments):
    """Follows a light loop for a while; the recording and the loop's run delay meanwhile."""
    with light:
        light.hear("ready")
        before = waiting.delay_ns(light.pid)
        with snoop.Snoop("-p", light.pid, "-d", f"{seconds}s", *arguments, folder=folder) as snooping:
            recording = snooping.finish()
        delay = waiting.delay_ns(light.pid) - before
        assert light.end() == 0
    follow.check_nothing_lost(recording)
    return recording, delay


@pytest.mark.parametrize("mode", ["healthy", "idle", "crowd"])
def test_no_stall(mode, folder):
    recording, delay = watch(target.Target([places.native("light"), mode], folder), folder, 4)
    match.hold([], recording, match.Expectation(run_delay_ns=delay))
    (loop,) = recording.summary["loops"]
    assert loop["iterations"] >= (2 if mode == "idle" else 300)
    assert loop["stalls"] == 0 or loop["by_cause"]["runqueue"]["ns"] > 0
    if mode == "idle":
        assert loop["idle_ns"] >= 2_000_000_000, "the wait that was there on attach is idle, too"


def test_time_of_a_healthy_loop_adds_up(folder):
    """Busy and idle time together are the session's, but for the loop's first iteration."""
    recording, _ = watch(target.Target([places.native("light"), "healthy"], folder), folder, 3)
    (loop,) = recording.summary["loops"]
    whole = recording.summary["duration_ns"]
    assert whole * 0.95 <= loop["busy_ns"] + loop["idle_ns"] <= whole + 10 * MS


def test_healthy_python(folder):
    running = target.python_loop(folder, count=0)
    with running:
        running.hear("ready")
        before = waiting.delay_ns(running.pid)
        with snoop.Snoop("-p", running.pid, folder=folder) as snooping:
            snooping.session()
            running.go()
            running.hear("done")
            time.sleep(2)
            delay = waiting.delay_ns(running.pid) - before
            recording = snooping.stop()
    match.hold([], recording, match.Expectation(run_delay_ns=delay))


def test_healthy_loop_on_saturated_cpus(folder, spinners):
    recording, delay = watch(target.Target([places.native("light"), "healthy"], folder), folder, 4)
    match.hold([], recording, match.Expectation(run_delay_ns=delay))


@pytest.mark.parametrize("kind", ["native", "python", "uvloop"])
def test_stalls_on_saturated_cpus(kind, folder, spinners):
    """All are found, and rightly reported, with every CPU taken twice over."""
    if kind == "native":
        follow.follow(target.native_loop(folder, wait="recv", count=23), folder)
    else:
        loop = "uvloop" if kind == "uvloop" else "asyncio"
        follow.follow(target.python_loop(folder, loop=loop, wait="time_sleep", count=23), folder, python=True)


def test_run_queue(folder):
    """A real-time process takes the CPU away: time runnable and not running is distinguished from sleeping."""
    cpu = sorted(os.sched_getaffinity(0))[-1]
    light = target.Target(["taskset", "-c", str(cpu), places.native("light"), "healthy"], folder)
    taken = []
    with light:
        light.hear("ready")
        with snoop.Snoop("-p", light.pid, folder=folder, wrapper=["taskset", "-c", "0"]) as snooping:
            snooping.session()
            for _ in range(5):
                time.sleep(0.2)
                hog = [places.native("spinner"), "--cpu", cpu, "--fifo", "--ms", "250"]
                got = subprocess.run([str(word) for word in hog], check=True, capture_output=True, text=True)
                taken.append(json.loads(got.stdout))
            time.sleep(0.2)
            recording = snooping.stop()
        light.end()
    stalls = recording.stalls()
    for interval in taken:
        inside = [s for s in stalls if s["start_ns"] < interval["end_ns"] and match.end_of(s) > interval["start_ns"]]
        assert len(inside) == 1, (interval, [(s["start_ns"], s["duration_ns"]) for s in stalls])
        (stall,) = inside
        assert stall["cause"] == "runqueue"
        assert 200 * MS <= match.part(stall, "runqueue") <= interval["end_ns"] - interval["start_ns"] + 50 * MS


def test_stopped_in_the_loop_s_own_poll_call(folder):
    """A stopped loop serves nobody."""
    with target.Target([places.native("light"), "idle"], folder) as idle:
        idle.hear("ready")
        with snoop.Snoop("-p", idle.pid, folder=folder) as snooping:
            snooping.session()
            stopped_ns = time.monotonic_ns()
            idle.process.send_signal(signal.SIGSTOP)
            waiting.until(lambda: waiting.state_of(idle.pid) == "T", "it to stop")
            time.sleep(2.3)  # past its next timer
            continued_ns = time.monotonic_ns()
            idle.process.send_signal(signal.SIGCONT)
            time.sleep(1.5)
            recording = snooping.stop()
    stalls = recording.stalls()
    assert stalls and {stall["cause"] for stall in stalls} == {"stopped"}
    assert sum(match.part(stall, "stopped") for stall in stalls) <= continued_ns - stopped_ns + 50 * MS
    assert sum(match.part(stall, "stopped") for stall in stalls) >= 1000 * MS


WARMS_UP = """\
import selectors, socket, sys
selector = getattr(selectors, sys.argv[1])()
listener = socket.create_server(("127.0.0.1", 0))
selector.register(listener, selectors.EVENT_READ)
print("ready", flush=True)
for _ in range(25):
    selector.select(0.15)
print("done", flush=True)
while True:
    selector.select(0.15)
"""


@pytest.mark.parametrize("selector", ["PollSelector", "SelectSelector"])
def test_interpreter_that_warms_up(selector, folder):
    """Around the tenth time CPython 3.11 makes the same poll call over fewer C frames: it is the loop's own all the same."""
    script = folder / "warms_up.py"
    script.write_text(WARMS_UP)
    with target.Target([places.SYSTEM_PYTHON, script, selector], folder) as loop:
        loop.hear("ready")
        with snoop.Snoop("-p", loop.pid, folder=folder) as snooping:
            snooping.session()
            before = waiting.delay_ns(loop.pid)
            loop.hear("done")
            delay = waiting.delay_ns(loop.pid) - before
            recording = snooping.stop()
    match.hold([], recording, match.Expectation(run_delay_ns=delay))
    assert len(recording.of("loop")) == 1, "its poll call was taken for another one"
    assert recording.summary["loops"][0]["iterations"] >= 10
