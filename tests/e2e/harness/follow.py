# SPDX-License-Identifier: Apache-2.0
"""The course that most tests take: a target loops, loopsnoop comes, the target blocks, the recording is held against the truth."""

from . import match, snoop, waiting

# Losses that no such test can explain; the others bound the cost of captures.
NEVER_LOST = ("ringbuf_full", "no_slot", "no_storage", "queue_full", "life_events")


def check_nothing_lost(recording):
    lost = {reason: count for reason, count in recording.lost().items() if reason in NEVER_LOST}
    assert not lost, f"lost: {lost}"


def check_loops(target, recording, poll=None, sleeps=True):
    """Each loop of the target, and no other thread, was found; with its poll call, "epoll_wait" say, when that is given. One that
    polls and never waits is never idle."""
    truth = {loop["tid"]: loop for loop in target.loops()}
    found = {loop["tid"]: loop for loop in recording.of("loop")}
    assert set(found) == set(truth), f"loops found: {sorted(found)}, in truth: {sorted(truth)}"
    for tid, loop in truth.items():
        assert found[tid]["poll"] is not None, found[tid]
        if poll is not None:
            assert found[tid]["poll"]["syscall"] == poll, found[tid]
        if loop.get("queue_fd", -1) >= 0:
            assert found[tid]["poll"]["fd"] == loop["queue_fd"], found[tid]
        elif "queue_fd" in loop and not (poll or "").startswith("io_"):
            assert found[tid]["poll"]["fd"] is None, found[tid]
        total = next(each for each in recording.summary["loops"] if each["tid"] == tid)
        assert total["iterations"] > 0
        assert total["idle_ns"] > 0 or poll is None or not sleeps
        share = total["busy_ns"] / (total["busy_ns"] + total["idle_ns"])
        assert sleeps or share > 0.9, total


def follow(target, folder, *arguments, python=False, after=None, check_culprit=True, check_stacks=True, pid_of=None):
    """Follows the target through its plan and holds the recording against its truth; the recording.

    `after(target, snoop)` runs when the target has blocked for the last time. `pid_of(target)`: the process to follow when it is not
    the one that was started.
    """
    with target:
        target.hear("ready")
        pid = pid_of(target) if pid_of else target.pid
        with snoop.Snoop("-p", pid, *arguments, folder=folder) as snooping:
            snooping.session()
            tids = [loop["tid"] for loop in target.loops()]
            before = waiting.delay_ns(pid, *tids)
            target.go()
            target.hear("done")
            delay = waiting.delay_ns(pid, *tids) - before
            if after:
                after(target, snooping)
            recording = snooping.stop()
        target.end()
    events = target.events()
    assert events, "the target did nothing"
    assert {stall["pid"] for stall in recording.stalls()} <= {pid}
    expected = match.Expectation(python=python, check_culprit=check_culprit, check_stacks=check_stacks, run_delay_ns=delay)
    match.hold(events, recording, expected)
    check_nothing_lost(recording)
    return recording
