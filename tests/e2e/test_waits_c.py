# SPDX-License-Identifier: Apache-2.0
"""Every way to block of a native target: cause, system call, resource, line, stacks, duration."""

import os
import pathlib
import shutil

import pytest

from harness import follow, match, places, snoop, target, waiting

WAITS = """
nanosleep clock_nanosleep absolute_sleep select_on_nothing poll_on_nothing pipe_read pipe_write poll_on_pipe poll_on_two nested_epoll
fifo_open fifo_read mutex cond_timedwait sem_wait recv recv_unix poll_on_socket connect fsync flock waitpid
""".split()


@pytest.mark.parametrize("wait", WAITS)
def test_wait(wait, folder):
    follow.follow(target.native_loop(folder, wait=wait), folder)


def test_storm_of_short_waits(folder):
    """60 sleeps of 3 ms in one callback: none is long, the iteration is."""
    storm = target.Target([places.native("storm"), "--truth", folder / "truth"], folder, folder / "truth")
    recording = follow.follow(storm, folder)
    for event in storm.events():
        stall = match.stall_of(event, recording.stalls())
        assert stall["breakdown"]["sleep"]["count"] == event["pieces"]
        # Waits in a row with the same cause and stack are one entry; those without a captured stack are entries of their own.
        assert sum(wait["count"] for wait in stall["waits"] if wait["cause"] == "sleep") > len(stall["waits"])


MISSING = {
    "tracefs": "poll calls are followed by hooks",
    "file-tracepoints": "whole lengths and results",
    "cpu-samples": "stacks of iterations that compute",
}


@pytest.mark.parametrize("without", MISSING)
def test_without_a_feature_of_the_kernel(without, folder):
    """What is missing is said, and the rest still works."""
    recording = follow.follow(target.native_loop(folder, wait="recv", count=7), folder, "--without", without)
    assert any(MISSING[without] in line for line in recording.session["missing"])


def test_strings_of_any_bytes(folder):
    """Names that are no UTF-8, that end lines, that speak to terminals: the JSON is UTF-8 and the text harmless."""
    hostile = pathlib.Path(os.fsdecode(os.fsencode(folder) + b"/\xff\x1b[31m\n\"odd"))
    hostile.mkdir()
    program = hostile / os.fsdecode(b"\xfe\x1b[5mloop\n")
    shutil.copy(places.native("loop"), program)
    command = [program, "--truth", hostile / "truth", "--poll", "epoll_wait", "--wait", "fifo_read", "--count", "5"]
    with target.Target(command, folder) as odd:
        odd.hear("ready")
        with snoop.Snoop("-p", odd.pid, folder=folder) as snooping:
            snooping.session()
            odd.go()
            odd.hear("done")
            recording = snooping.stop()
    stalls = [stall for stall in recording.stalls() if stall["cause"] == "pipe"]
    assert len(stalls) == 4
    assert all("odd/truth.0.scratch" in stall["waits"][0]["resource"]["path"] for stall in stalls)
    text = snooping.errors_path.read_bytes()
    assert b"\x1b" not in text
    text.decode("utf-8")


def test_computing_is_no_wait(folder):
    """An iteration that is long because it computes is a stall by `cpu`, in the account, too."""
    computing = target.native_loop(folder, wait="compute")
    with computing:
        computing.hear("ready")
        with snoop.Snoop("-p", computing.pid, folder=folder) as snooping:
            snooping.session()
            before = waiting.delay_ns(computing.pid)
            computing.go()
            computing.hear("done")
            delay = waiting.delay_ns(computing.pid) - before
            recording = snooping.stop()
        computing.end()
    for event in computing.events():
        stall = match.stall_of(event, recording.stalls())
        if event["end_ns"] - event["start_ns"] >= 101 * match.MS:
            match.check_interval(event, stall)
            # A stolen CPU computes for somebody else, but the loop thread sits on it: its CPU clock leaves that out.
            most = event["cpu_ns"] + match.MS + delay + match.STEAL_RESOLUTION_NS
            assert event["cpu_ns"] - match.MS <= match.part(stall, "cpu") <= most
            assert stall["duration_ns"] - match.part(stall, "cpu", "runqueue") <= match.MS
            match.check_cause(event, stall)
        else:
            assert stall is None or match.part(stall, "runqueue") > 30 * match.MS
