# SPDX-License-Identifier: Apache-2.0
"""The account adds up, and says why the loop was not let run: a CPU limit of its cgroup, other processes, a stop."""

import os
import signal
import time

from harness import compute, match, quota, snoop, target, waiting

MS = match.MS


def record(loop, folder, during):
    """Follows the target through its plan: the recording. `during()` runs meanwhile."""
    loop.hear("ready")
    with snoop.Snoop("-p", loop.pid, folder=folder) as snooping:
        snooping.session()
        loop.go()
        during()
        loop.hear("done")
        return snooping.stop()


def test_cpu_limit_of_the_cgroup(folder):
    """A quota of a fifth of a CPU: most of the time it waits for the next period."""
    with target.python_loop(folder, wait="tight_loop", count=5, more=["--ms", "400"]) as loop:
        loop.hear("ready")
        with quota.limited(loop.pid, 20_000) as cgroup:
            with snoop.Snoop("-p", loop.pid, folder=folder) as snooping:
                snooping.session()
                before = quota.throttled_ns(cgroup)
                loop.go()
                loop.hear("done")
                throttled = quota.throttled_ns(cgroup) - before
                recording = snooping.stop()
            loop.end()
    assert throttled > 500 * MS, "the quota did nothing"
    stalls = [match.stall_of(event, recording.stalls()) for event in loop.events()]
    throttled_here = 0
    for stall in stalls:
        assert stall["throttled_ns"] is not None
        assert stall["throttled_ns"] <= match.part(stall, "runqueue")
        throttled_here += stall["throttled_ns"]
        assert stall["cause"] == "runqueue", stall["breakdown"]
        assert f"its cgroup /{cgroup.name} was throttled for" in stall["summary"], stall["summary"]
        assert "20 ms of CPU in each 100 ms" in stall["summary"], stall["summary"]
        assert stall["throttled_ns"] >= 0.5 * match.part(stall, "runqueue"), (stall["throttled_ns"], stall["breakdown"])
    # Each stall may have a period that began before it.
    assert throttled_here <= throttled + len(stalls) * 100 * MS


def test_starved_by_other_processes(folder, spinners):
    """Without a limit nothing is said of one."""
    pairs, _ = compute.run(target.python_loop(folder, wait="tight_loop", count=5, more=["--ms", "250"]), folder)
    assert sum(match.part(stall, "runqueue") for _, stall in pairs) > 0.2 * sum(stall["duration_ns"] for _, stall in pairs)
    for _, stall in pairs:
        assert not stall["throttled_ns"], stall["throttled_ns"]
        assert "throttled" not in stall["summary"]


def test_stopped(folder):
    with target.python_loop(folder, wait="tight_loop", count=1, more=["--ms", "900"]) as loop:

        def stop():
            time.sleep(0.3)
            os.kill(loop.pid, signal.SIGSTOP)
            waiting.until(lambda: waiting.state_of(loop.pid) == "T", "it to stop")
            begin = time.monotonic_ns()
            time.sleep(0.4)
            stop.ns = time.monotonic_ns() - begin
            os.kill(loop.pid, signal.SIGCONT)

        recording = record(loop, folder, during=stop)
        loop.end()
    (event,) = loop.events()
    stall = match.stall_of(event, recording.stalls())
    assert match.part(stall, "stopped") >= stop.ns - 5 * MS, stall["breakdown"]
    assert match.part(stall, "stopped") <= stop.ns + 100 * MS + match.part(stall, "runqueue"), stall["breakdown"]


def test_cold_mapped_file(folder):
    """The file behind the address of a major page fault."""
    pairs, _ = compute.run(target.python_loop(folder, wait="cold_mapping", count=5, more=["--ms", "300"]), folder, "-T", "50ms")
    faults = 0
    for event, stall in pairs:
        waits = [wait for wait in stall["waits"] if wait["cause"] == "page_fault"]
        named = [wait for wait in waits if wait["resource"]]
        assert all(wait["resource"] == {"kind": "file", "fd": None, "path": event["path"]} for wait in named), waits
        faults += len(named)
        if stall["cause"] == "page_fault":
            assert event["path"] in stall["summary"], stall["summary"]
            assert compute.place(stall["culprit"]) == compute.place(event)
    assert sum(match.part(stall, "page_fault") for _, stall in pairs) > 100 * MS, [stall["breakdown"] for _, stall in pairs]
    assert faults, "no fault's file was named"
