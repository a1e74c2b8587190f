# SPDX-License-Identifier: Apache-2.0
"""Stalls that are still running: shown at --hang-after, each time their age doubles, and when they end."""

import os
import time

import pytest

from harness import match, places, snoop, target

MS = 1_000_000
HANG_AFTER_MS = 400
SHOWN_WITHIN_NS = 100 * MS
LOOPS = 24


@pytest.mark.parametrize("kind", ["native", "python", "uvloop"])
def test_doubling_and_end(kind, folder):
    more = ["--ms", "2700"]
    if kind == "native":
        loop = target.native_loop(folder, wait="recv", count=1, more=more)
    else:
        loop = target.python_loop(folder, wait="recv", loop="uvloop" if kind == "uvloop" else "asyncio", count=1, more=more)
    with loop:
        loop.hear("ready")
        with snoop.Snoop("-p", loop.pid, "--hang-after", f"{HANG_AFTER_MS}ms", folder=folder) as snooping:
            snooping.session()
            loop.go()
            loop.hear("done")
            delay = snooping.delay_ns()
            recording = snooping.stop()
            arrivals = list(snooping.arrivals_ns)
        loop.end()
    (event,) = loop.events()
    python = kind != "native"
    match.hold([event], recording, match.Expectation(python=python))
    ongoing = recording.stalls("ongoing")
    marks = [HANG_AFTER_MS * MS << doubling for doubling in range(3)]  # 0.4, 0.8, 1.6 s; 3.2 s is past its end
    assert len(ongoing) == len(marks), [stall["duration_ns"] for stall in ongoing]
    for mark, stall in zip(marks, ongoing):
        assert mark <= stall["duration_ns"] <= mark + SHOWN_WITHIN_NS + delay
        shown = arrivals[recording.records.index(stall)] - stall["start_ns"]
        assert mark <= shown <= mark + SHOWN_WITHIN_NS + delay, f"shown at {shown / MS:.0f} ms"
        assert stall["truncated"] is None
        assert stall["cause"] == "socket"
        assert match.same_place(stall["culprit"], event)
        (wait,) = [each for each in stall["waits"] if each["cause"] == "socket" and each["duration_ns"] > mark // 2]
        assert match.differing(event["resource"], wait["resource"]) is None
        if python:
            assert any(match.same_place(frame, event) for frame in wait["stack"]["python"])


def test_session_ends_before_the_stall(folder):
    with target.native_loop(folder, wait="recv", count=1, more=["--freeze"]) as loop:
        loop.hear("ready")
        with snoop.Snoop("-p", loop.pid, "--hang-after", "300ms", folder=folder) as snooping:
            snooping.session()
            loop.go()
            snooping.ongoing()
            recording = snooping.stop()
    (stall,) = recording.stalls()
    assert stall["truncated"] == "session_end"
    assert stall["cause"] == "socket"


def test_stall_shorter_than_hang_after_is_reported_once(folder):
    with target.native_loop(folder, count=3, more=["--ms", "300"]) as loop:
        loop.hear("ready")
        with snoop.Snoop("-p", loop.pid, "--hang-after", "5s", folder=folder) as snooping:
            snooping.session()
            loop.go()
            loop.hear("done")
            recording = snooping.stop()
        loop.end()
    assert recording.stalls("ongoing") == []
    assert all("threads" not in stall for stall in recording.stalls())
    match.hold(loop.events(), recording)


def test_threads_of_a_hang(folder):
    """The other threads, as they are during the stall."""
    with target.python_loop(folder, wait="lock_held_by_thread", count=1, more=["--ms", "1500"]) as loop:
        loop.hear("ready")
        with snoop.Snoop("-p", loop.pid, "--hang-after", "300ms", folder=folder) as snooping:
            snooping.session()
            loop.go()
            stall = snooping.ongoing()
            alive = {int(name) for name in os.listdir(f"/proc/{loop.pid}/task")} - {stall["tid"]}
            loop.hear("done")
            snooping.stop()
        loop.end()
    threads = {thread["tid"]: thread for thread in stall["threads"]}
    assert set(threads) == alive
    (holder,) = threads.values()
    assert holder["state"] == "sleeping"
    assert holder["cause"] == "sleep"
    assert any(frame["function"].endswith("hold") for frame in holder["stack"]["python"])


def test_each_that_is_reported_ends_once(folder):
    """Stalls that end just when they are reported, the next already begun: each has its end, that of its own iteration."""
    frozen = [places.SYSTEM_PYTHON, places.PYTHON_TARGETS / "freezes.py", 45, 120, LOOPS]
    with target.Target(frozen, folder) as loops:
        loops.hear("ready")
        for seconds in (1.5, 1.53, 1.56, 1.59):  # the end of the session, too, comes at any moment of a stall
            with snoop.Snoop("-p", loops.pid, "--threshold", "20ms", "--hang-after", "50ms", folder=folder) as snooping:
                snooping.session()
                time.sleep(seconds)
                recording = snooping.stop()  # held to the schema: `ongoing` any number of times, then `ended` once
            # A report takes a snapshot of all threads: a few of these loops get one in that time.
            assert len(recording.stalls("ongoing")) >= 3
            if not recording.summary["lost"]["ringbuf_full"]:
                assert not [stall for stall in recording.stalls() if stall["truncated"] == "end_lost"]
        loops.end()
