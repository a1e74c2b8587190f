# SPDX-License-Identifier: Apache-2.0
"""Every kind of standstill, under asyncio and uvloop, on every interpreter there is: what is reported is compared with what the target
knows of itself. All targets of one interpreter are followed by one session."""

import contextlib
import time

import pytest

from harness import pythons, snoop, standing

CUSTOMERS = 4
S = 1_000_000_000
STUCK_AFTER_S = 2
MODES = ["lock", "future", "executor", "full_executor", "semaphore", "queue", "task", "deadlock", "lost_wakeup", "not_accepted", "spin"]
UVLOOP = [(suite, "uvloop") for suite in ("bookworm", "bullseye", "trixie", "sid")]  # there is none for 3.15
INTERPRETERS = [("bookworm", None), ("bullseye", None), ("trixie", None), ("sid", None), ("sid", "3.15"), *UVLOOP]


def same_line(frame, truth):
    # The qualified name of a nested function is known since 3.11.
    return (frame["function"].split(".")[-1], frame["line"]) == (truth["function"].split(".")[-1], truth["line"])


def check(mode, target, found, uvloop):
    truth = target.truth
    assert found["kind"] == truth["kind"], found["summary"]
    assert found["phase"] == "ongoing" and found["duration_ns"] >= STUCK_AFTER_S * S
    if mode == "not_accepted":
        assert found["certain"] and found["clients"]["not_accepted"] == CUSTOMERS
        return
    if mode == "spin":
        assert found["spin"]["iterations_per_s"] > 1000 and found["spin"]["resource"]["state"] == "CLOSE_WAIT"
        if found["culprit"] or not uvloop:  # whose callbacks are found by sampling often, in one that does next to nothing by chance
            assert found["culprit"]["function"].split(".")[-1] in ("ready", "spin"), found["culprit"]
        return
    assert found["clients"]["unanswered"] == CUSTOMERS
    assert found["clients"]["oldest_ns"] >= STUCK_AFTER_S * S
    assert same_line(found["culprit"], truth["at"]), found["culprit"]
    waiting = [group for group in found["tasks"] if group["culprit"] and same_line(group["culprit"], truth["at"])]
    assert waiting, found["tasks"]
    if mode == "lost_wakeup":
        assert found["certain"] and found["ready"]["count"] >= 1
        return
    first = waiting[0]
    assert first is found["tasks"][0], "whoever is stuck comes first"
    assert first["waits_for"]["kind"] == truth["waits"], first["waits_for"]
    if mode == "deadlock":
        assert len(found["deadlock"]) == 2 and "wait for each other" in found["summary"]
        return
    assert first["count"] == CUSTOMERS - truth.get("holders", 0)
    holders = first["waits_for"].get("holders", [])
    assert len(holders) == truth.get("holders", 0)
    assert all(same_line(holder["culprit"], truth["holder"]) for holder in holders), holders
    if "beside" in truth:
        groups = [group for group in found["tasks"] if group["culprit"] and same_line(group["culprit"], truth["beside"])]
        assert [(group["count"], group["waits_for"]["kind"]) for group in groups] == [(CUSTOMERS, truth["beside_waits"])], groups
    if "peer" in truth:
        remote = f"127.0.0.1:{truth['peer']}"
        assert {upstream["remote"] for upstream in found["upstream"]} == {remote}
        assert len(found["upstream"]) == truth["holders"]
        assert remote in found["summary"], found["summary"]
        (holding,) = [group for group in found["tasks"] if group["culprit"] and same_line(group["culprit"], truth["holder"])]
        assert holding["waits_for"]["resource"]["remote"] == remote, holding["waits_for"]
    if mode == "executor":
        assert first["waits_for"].get("tid") or first["waits_for"].get("queued"), first["waits_for"]
    if mode == "full_executor":
        pool = first["waits_for"]["executor"]
        assert (pool["size"], pool["busy"], pool["queued"]) == (3, 3, CUSTOMERS - 3)
        (place,) = pool["places"]
        assert place["count"] == 3 and same_line(place["culprit"], truth["worker"]), place
        assert "all 3 workers of the executor are in recvfrom() on 127.0.0.1:" in found["summary"], found["summary"]


@pytest.mark.parametrize("suite, which", INTERPRETERS, ids=lambda value: value or "")
def test_kinds(suite, which, folder):
    command, script = pythons.command_of(suite, "standing.py", which if which != "uvloop" else None)
    options = ["--uvloop"] if which == "uvloop" else []
    with contextlib.ExitStack() as stack:
        targets = {mode: standing.Standing(folder, mode, options, command, script) for mode in MODES}
        for target in targets.values():
            stack.enter_context(target)
        pids = ",".join(str(target.pid) for target in targets.values())
        snooping = stack.enter_context(snoop.Snoop("-p", pids, "--stuck-after", f"{STUCK_AFTER_S}s", folder=folder))
        snooping.session()
        for mode, target in targets.items():
            if mode == "spin":
                target.connect().close()
            elif mode == "deadlock":
                for path in ("/one", "/other"):
                    target.ask(path)
                time.sleep(0.02)
                target.ask("/one", times=CUSTOMERS - 2)
            else:
                target.ask(times=CUSTOMERS)
        found = {
            mode: snooping.wait_for(lambda record, pid=target.pid: record["type"] == "standstill" and record["pid"] == pid, f"standstill {mode}")
            for mode, target in targets.items()
        }
        wrong = []
        for mode, target in targets.items():
            try:
                check(mode, target, found[mode], which == "uvloop")
            except AssertionError as error:
                wrong.append(f"{mode}: {error}\n  {found[mode]['summary']}")
        snooping.stop()
    assert not wrong, "\n".join(wrong)
