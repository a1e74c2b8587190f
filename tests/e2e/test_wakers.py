# SPDX-License-Identifier: Apache-2.0
"""Who ended a wait, and where that thread stood in its own code."""

import pytest

from harness import match, places, pythons, snoop, target

COUNT = 2
LONG = ["--ms", "400"]  # so long that the wait is inspected while it lasts, however busy the machine


def record(loop, folder, *arguments):
    """Each stall's event and main wait, and what was shown to people."""
    with loop:
        loop.hear("ready")
        with snoop.Snoop("-p", loop.pid, *arguments, folder=folder) as snooping:
            snooping.session()
            loop.go()
            loop.hear("done")
            recording = snooping.stop()
            text = snooping.text()
        loop.end()
    found = []
    for event in loop.events():
        stall = match.stall_of(event, recording.stalls())
        assert stall is not None, event
        found.append((event, stall, match.main_wait(event, stall)))
    assert len(found) == COUNT
    return found, text


def line_of(file, wanted):
    lines = (places.TESTS / "targets" / "native" / file).read_text().splitlines()
    return 1 + next(number for number, line in enumerate(lines) if line.strip() == wanted)


def test_mutex(folder):
    """The thread that lets go of it; shorter than --hang-after, the stall has its holder all the same."""
    found, text = record(target.native_loop(folder, wait="mutex", count=COUNT, more=LONG), folder)
    line = line_of("waits_lock.c", "pthread_mutex_unlock(&locks->mutex);")
    for event, stall, wait in found:
        truth = event["resource"]["holder"]
        waker = wait["waker"]
        assert (waker["pid"], waker["tid"], waker["thread"]) == (event["pid"] if "pid" in event else stall["pid"], truth["tid"], "holder")
        assert waker["context"] == "thread"
        names = [frame["function"] for frame in waker["stack"]["native"]]
        assert any("pthread_mutex_unlock" in (name or "") for name in names[:3]), names
        own = [frame for frame in waker["stack"]["native"] if frame["function"] == "hold_mutex"]
        assert own and own[0]["file"].endswith("waits_lock.c") and own[0]["line"] == line
        match.check_native(waker["stack"])
        assert "python" not in waker["stack"]
        assert wait["resource"]["holder"]["tid"] == truth["tid"]
        assert f"waits_lock.c:{line}; in block_in_mutex" in stall["summary"]
    assert f"woken by holder (tid {found[0][0]['resource']['holder']['tid']}) at waits_lock.c:{line}" in text


SUITES = {"lock_held_by_thread": [None, "bullseye", "trixie", "sid"], "pipe_from_thread": [None, "bullseye"]}  # None: the system's 3.11


@pytest.mark.parametrize("wait,suite", [(wait, suite) for wait, suites in SUITES.items() for suite in suites])
def test_python(wait, suite, folder):
    """By a thread with the GIL (a lock), and by one that has let go of it for its system call (a pipe)."""
    python = pythons.python_of(suite) if suite else None
    found, text = record(target.python_loop(folder, wait=wait, count=COUNT, more=LONG, python=python), folder)
    for event, stall, wait in found:
        truth, waker = event["waker"], wait["waker"]
        assert (waker["pid"], waker["context"]) == (stall["pid"], "thread")
        assert match.same_place(waker["stack"]["python"][0], truth), waker["stack"]["python"][0]
        assert waker["stack"]["python"][-1]["function"] in ("Thread._bootstrap", "_bootstrap")
        match.check_native(waker["stack"])
        # Its PID namespace is ours: the tids are the same.
        assert (waker["tid"], waker["thread"]) == (truth["tid"], truth["thread"])
        if wait["cause"] == "futex":
            assert wait["resource"]["type"] == "threading.Lock"
            assert wait["resource"]["holder"] == {"tid": truth["tid"], "thread": "holder", "how": "inferred"}
    truth = found[0][0]["waker"]
    place = truth["file"].rpartition("/")[2]
    assert f"woken by {truth['thread']} (tid {truth['tid']}) at {place}:{truth['line']}" in text


def test_another_process(folder):
    """Its native stack; of no interest to the summary."""
    found, _text = record(target.python_loop(folder, wait="recv", count=COUNT, more=LONG), folder)
    for _event, stall, wait in found:
        waker = wait["waker"]
        if waker is None or waker["context"] == "interrupt":
            continue
        assert waker["pid"] != stall["pid"]
        assert "python" not in waker["stack"]
        match.check_native(waker["stack"])
        assert "woken by" not in stall["summary"]
    assert any(wait["waker"] and wait["waker"]["context"] == "thread" for _event, _stall, wait in found)


def test_timeouts_have_no_waker_but_an_interrupt(folder):
    found, _text = record(target.python_loop(folder, wait="condition_timeout", count=COUNT, more=LONG), folder)
    for _event, stall, wait in found:
        assert wait["resource"]["type"] == "threading.Condition"
        assert wait["resource"]["holder"] is None
        assert wait["waker"] is None or wait["waker"]["context"] == "interrupt"
        assert "woken by" not in stall["summary"]
