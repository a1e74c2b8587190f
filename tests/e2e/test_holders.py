# SPDX-License-Identifier: Apache-2.0
"""Who holds the lock that a loop waits for, told while it waits."""

import pytest

from harness import pythons, snoop, target


def ongoing_futex(loop, folder):
    """The loop's lock wait in the first record of the hang, that record, and what the target wrote down."""
    with loop:
        loop.hear("ready")
        with snoop.Snoop("-p", loop.pid, "--hang-after", "300ms", folder=folder) as snooping:
            snooping.session()
            loop.go()
            stall = snooping.ongoing()
            loop.hear("done")
            recording = snooping.stop()
        loop.end()
    check_ended(stall, recording)
    wait = max(stall["waits"], key=lambda each: each["duration_ns"])
    assert wait["resource"]["kind"] == "futex", wait
    return wait["resource"], stall, loop.events()


def check_ended(ongoing, recording):
    """Over, the stall still says who held the lock when that could be seen."""
    (ended,) = [stall for stall in recording.stalls() if stall["id"] == ongoing["id"]]
    for wait in ongoing["waits"]:
        if wait["ongoing"] and wait["resource"]["holder"]:
            same = [each for each in ended["waits"] if each["resource"] and each["resource"].get("address") == wait["resource"]["address"]]
            assert wait["resource"] in [each["resource"] for each in same], (wait["resource"], same)
            assert f"(tid {wait['resource']['holder']['tid']})" in ended["summary"]


@pytest.mark.parametrize("wait", ["mutex", "mutex_recursive", "mutex_checking", "mutex_pi", "mutex_robust"])
def test_mutex(wait, folder):
    resource, stall, events = ongoing_futex(target.native_loop(folder, wait=wait, count=1, more=["--ms", "2000"]), folder)
    assert resource["lock"] == "pthread_mutex"
    truth = events[0]["resource"]["holder"]
    assert resource["holder"] == {"tid": truth["tid"], "thread": truth["thread"], "how": "owner field"}
    assert f"waits for a mutex held by holder (tid {truth['tid']})" in stall["summary"]


@pytest.mark.parametrize("wait", ["rdlock", "wrlock"])
def test_rwlock_writer(wait, folder):
    resource, _, events = ongoing_futex(target.native_loop(folder, wait=wait, count=1, more=["--ms", "2000"]), folder)
    truth = events[0]["resource"]["holder"]
    assert resource["lock"] == "unknown"  # the contract has no word for a rwlock
    assert resource["type"] == "pthread rwlock"
    assert resource["holder"] == {"tid": truth["tid"], "thread": truth["thread"], "how": "owner field"}


@pytest.mark.parametrize("wait", ["cond_timedwait", "sem_wait"])
def test_no_holder_without_owner(wait, folder):
    resource, _, _ = ongoing_futex(target.native_loop(folder, wait=wait, count=1, more=["--ms", "2000"]), folder)
    assert resource["lock"] == "unknown"
    assert resource["holder"] is None


@pytest.mark.parametrize("suite", [None, "bullseye", "trixie", "sid"])  # None: the system's 3.11
def test_logging_handler(suite, folder):
    """A worker holds the handler's RLock, stuck in a full pipe."""
    python = pythons.python_of(suite) if suite else None
    loop = target.python_loop(folder, wait="log_handler", count=1, more=["--ms", "2000"], python=python)
    resource, stall, _ = ongoing_futex(loop, folder)
    (worker,) = [each for each in stall["threads"] if each["resource"] and each["resource"]["kind"] == "pipe"]
    assert resource["lock"] == "python_lock"
    assert resource["holder"] == {"tid": worker["tid"], "thread": worker["thread"], "how": "owner field"}
    assert worker["thread"] == "worker", "the name that Python gave it"
    assert resource["type"] == "logging.Handler.lock"
    assert f"waits for logging.Handler.lock held by worker (tid {worker['tid']})" in stall["summary"]


@pytest.mark.parametrize("wait", ["lock_held_by_thread", "condition_timeout"])
def test_plain_python_lock(wait, folder):
    resource, _, _ = ongoing_futex(target.python_loop(folder, wait=wait, count=1, more=["--ms", "2000"]), folder)
    assert resource["lock"] == "python_lock"
    assert resource["type"] == {"lock_held_by_thread": "threading.Lock", "condition_timeout": "threading.Condition"}[wait]
    assert resource["holder"] is None
