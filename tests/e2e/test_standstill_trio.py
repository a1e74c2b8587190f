# SPDX-License-Identifier: Apache-2.0
"""Standstills of servers of Trio, on each interpreter that it is there for; and those that wait with a time-out, which are none."""

import contextlib

import pytest

from harness import pythons, snoop, standing

CUSTOMERS = 4
STUCK_AFTER_S = 2
STUCK = ["lock", "thread", "lost_wakeup"]
HEALTHY = ["long_poll", "slow_thread"]


def same_line(frame, truth):
    # The qualified name of a nested function is known since 3.11.
    return (frame["function"].split(".")[-1], frame["line"]) == (truth["function"].split(".")[-1], truth["line"])


@pytest.mark.parametrize("suite", ["bullseye", "bookworm", "trixie", "sid"])
def test_standstills_of_trio(suite, folder):
    command, script = pythons.command_of(suite, "standing_trio.py", own_root=True)
    with contextlib.ExitStack() as stack:
        targets = {mode: stack.enter_context(standing.Standing(folder, mode, (), command, script)) for mode in STUCK + HEALTHY}
        pids = ",".join(str(target.pid) for target in targets.values())
        snooping = stack.enter_context(snoop.Snoop("-p", pids, "--stuck-after", f"{STUCK_AFTER_S}s", folder=folder))
        snooping.session()
        for target in targets.values():
            target.ask(times=CUSTOMERS)
        found = {
            mode: snooping.wait_for(
                lambda record, pid=targets[mode].pid: record["type"] == "standstill" and record["pid"] == pid, f"standstill {mode}"
            )
            for mode in STUCK
        }
        for mode in HEALTHY:
            targets[mode].healthy()
        recording = snooping.stop()
    for mode, record in found.items():
        truth = targets[mode].truth
        assert record["kind"] == truth["kind"], record["summary"]
        group = record["tasks"][0]
        assert same_line(group["culprit"], truth["at"]), record["tasks"]
        assert group["waits_for"]["kind"] == truth["waits"]
        holders = group["waits_for"].get("holders", [])
        assert [same_line(holder["culprit"], truth["holder"]) for holder in holders] == [True] * truth.get("holders", 0)
    stack_of_thread = found["thread"]["tasks"][0]["waits_for"]["thread_stack"]["python"]
    assert "block" in [frame["function"].split(".")[-1] for frame in stack_of_thread]
    healthy = {targets[mode].pid for mode in HEALTHY}
    assert not [record["summary"] for record in recording.of("standstill") if record["pid"] in healthy]
