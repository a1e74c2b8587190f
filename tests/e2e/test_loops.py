# SPDX-License-Identifier: Apache-2.0
"""Every kind of loop: its own poll call is idle, what blocks in its callbacks is found."""

import time

import pytest

from harness import follow, match, places, pythons, snoop, target

POLL_CALLS = {
    "epoll_wait": "epoll_wait",
    "epoll_pwait": "epoll_pwait",
    "epoll_pwait2": "epoll_pwait2",
    "epoll_busy": "epoll_wait",
    "poll": "poll",
    "poll_one": "poll",
    "ppoll": "ppoll",
    "select": "select",
    "pselect6": "pselect6",
    "io_uring": "io_uring_enter",
    "io_getevents": "io_getevents",
    "io_pgetevents": "io_pgetevents",
}
# A poll call of the same kind inside a callback, on one socket or pipe, is distinguished from the loop's own.
LIKE_ITS_OWN = {"poll": "poll_on_socket", "poll_one": "poll_on_pipe", "epoll_wait": "nested_epoll", "select": "select_on_nothing"}


@pytest.mark.parametrize("poll", POLL_CALLS)
def test_native(poll, folder):
    loop = target.native_loop(folder, poll=poll, count=23 if poll == "epoll_wait" else 11)
    recording = follow.follow(loop, folder)
    follow.check_loops(loop, recording, POLL_CALLS[poll], sleeps=poll != "epoll_busy")
    assert recording.of("loop")[0]["runtime"] == {"name": "native", "version": None}


@pytest.mark.parametrize("poll", LIKE_ITS_OWN)
def test_a_wait_like_its_own_poll_call(poll, folder):
    loop = target.native_loop(folder, poll=poll, wait=LIKE_ITS_OWN[poll], count=11)
    recording = follow.follow(loop, folder)
    follow.check_loops(loop, recording, POLL_CALLS[poll])


def test_a_loop_whose_place_changes(folder):
    """The same descriptors, the same loop: each of its stalls is found from the first one on."""
    with target.Target([places.native("moved")], folder) as loop:
        loop.hear("ready")
        with snoop.Snoop("-p", loop.pid, folder=folder) as snooping:
            snooping.session()
            time.sleep(0.3)
            loop.go()
            loop.hear("done")
            time.sleep(0.2)
            recording = snooping.stop()
    ended = [stall for stall in recording.stalls() if stall["cause"] == "sleep"]
    assert len(ended) == 8, [stall["summary"] for stall in recording.stalls()]
    assert all(150e6 <= stall["duration_ns"] < 400e6 * match.SLOWER for stall in ended)


@pytest.mark.parametrize("poll", ["epoll_wait", "poll", "io_uring"])
def test_native_in_a_thread(poll, folder):
    loop = target.native_loop(folder, poll=poll, count=11, more=["--thread"])
    recording = follow.follow(loop, folder)
    follow.check_loops(loop, recording, POLL_CALLS[poll])
    assert recording.of("loop")[0]["thread"] == "loop"


def test_two_loops_in_two_threads(folder):
    loop = target.native_loop(folder, count=11, more=["--loops", "2"])
    recording = follow.follow(loop, folder)
    follow.check_loops(loop, recording, "epoll_wait")
    assert len(recording.summary["loops"]) == 2


def test_only_the_thread_asked_for(folder):
    loop = target.native_loop(folder, count=5, more=["--loops", "2"])
    with loop:
        loop.hear("ready")
        wanted = loop.loops()[1]["tid"]
        with snoop.Snoop("-p", loop.pid, "-t", wanted, folder=folder) as snooping:
            snooping.session()
            loop.go()
            loop.hear("done")
            recording = snooping.stop()
        loop.end()
    assert {record["tid"] for record in recording.of("loop")} == {wanted}
    events = [event for event in loop.events() if event["tid"] == wanted]
    match.hold(events, recording)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop", "poll", "select", "thread"])
@pytest.mark.parametrize("wait", ["time_sleep", "recv_timeout"])
def test_python(loop, wait, folder):
    running = target.python_loop(folder, loop=loop, wait=wait, count=23 if wait == "time_sleep" else 7)
    recording = follow.follow(running, folder, python=True)
    follow.check_loops(running, recording)
    runtime = recording.of("loop")[0]["runtime"]
    assert runtime == {"name": "cpython", "version": pythons.full_version([places.SYSTEM_PYTHON])}
