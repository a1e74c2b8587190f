# SPDX-License-Identifier: Apache-2.0
"""Targets that block for an hour, and what loopsnoop is to say of them."""

from . import match, waiting

# x86-64 system calls that the frozen targets sleep in.
NUMBERS = {"read": 0, "poll": 7, "select": 23, "recvfrom": 45, "futex": 202, "clock_nanosleep": 230, "openat": 257, "nanosleep": 35}


def freeze(target):
    """Has it freeze; what it wrote down about that."""
    target.hear("ready")
    target.go()
    about = waiting.until(lambda: next((each for each in target.truth() if each["kind"] == "freezes"), None), "the freeze")
    numbers = [NUMBERS[name] for name in about.get("syscalls", NUMBERS) if name in NUMBERS]
    tid = about["tid"]
    waiting.until(lambda: any(waiting.sleeps_in(target.pid, tid, number) for number in numbers), "it to sleep")
    return about


def check(about, stall, python):
    """The stall says what the target wrote down."""
    assert stall["tid"] == about["tid"]
    assert stall["cause"] in about["cause"].split("|"), stall["breakdown"]
    assert stall["culprit"] is not None, stall
    assert stall["culprit"]["function"] == about["function"]
    assert stall["culprit"]["file"] == about["file"]
    if about["line"] is not None:
        assert stall["culprit"]["line"] == about["line"]
    wait = max(stall["waits"], key=lambda each: each["duration_ns"])
    assert wait["cause"] == stall["cause"]
    assert wait["stack"] is not None and wait["stack"].get("kernel")
    match.check_native(wait["stack"])
    if python:
        assert any(match.same_place(frame, about) for frame in wait["stack"]["python"])
    resource = about["resource"]
    if resource is not None and resource["kind"] != "timer":
        assert match.differing(resource, wait["resource"]) is None, match.differing(resource, wait["resource"])
    threads = {thread["tid"]: thread for thread in stall["threads"]}
    assert all(thread["state"] for thread in threads.values())
    return wait
