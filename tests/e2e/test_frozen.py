# SPDX-License-Identifier: Apache-2.0
"""Processes that were frozen before loopsnoop came, and such as never reach a loop: diagnosed within two seconds of its start."""

import os

import pytest

from harness import freeze, match, places, snoop, target, waiting

DIAGNOSED_WITHIN_NS = 2_000_000_000 * match.SLOWER
PYTHON_WAITS = ["time_sleep", "recv", "recv_timeout", "lock_held_by_thread", "fifo_read", "poll_on_two"]
NATIVE_WAITS = ["nanosleep", "pipe_read", "poll_on_socket", "mutex", "recv", "fifo_open"]


def diagnose(frozen, folder, about, python, in_loop=False):
    with snoop.Snoop("-p", frozen.pid, folder=folder) as snooping:
        stall = snooping.ongoing()
        taken = snooping.arrival_ns(stall) - snooping.started_ns - snooping.delay_ns()
        assert taken <= DIAGNOSED_WITHIN_NS, f"took {taken / 1e9:.2f} s"
        assert stall["truncated"] == "before_attach"
        freeze.check(about, stall, python)
        assert not (in_loop and stall.get("no_loop_yet")), "its stack says that there is a loop"
        recording = snooping.stop()
    ended = recording.stalls()
    assert len(ended) == 1 and ended[0]["id"] == stall["id"]
    assert ended[0]["truncated"] == "before_attach", "before_attach goes before session_end"
    assert waiting.state_of(frozen.pid) == "S", "the target is as it was"


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("wait", PYTHON_WAITS)
def test_python(loop, wait, folder):
    with target.python_loop(folder, wait=wait, loop=loop, count=1, more=["--freeze"]) as frozen:
        diagnose(frozen, folder, freeze.freeze(frozen), python=True, in_loop=True)


@pytest.mark.parametrize("command, function", [([places.SYSTEM_PYTHON, "python/spins.py"], "reconcile"), (["node", "node/spins.js"], "refresh")])
def test_computes(command, function, folder):
    """It never sleeps, so it has no stack to be read; Node has other loops that are well."""
    program, script = command[0], places.TESTS / "targets" / command[1]
    line = next(number for number, text in enumerate(script.read_text().splitlines(), 1) if "spins" in text)
    with target.Target([program, script], folder) as frozen:
        frozen.hear("ready")
        with snoop.Snoop("-p", frozen.pid, folder=folder) as snooping:
            stall = snooping.ongoing()
            taken = snooping.arrival_ns(stall) - snooping.started_ns - snooping.delay_ns()
            assert taken <= DIAGNOSED_WITHIN_NS, f"took {taken / 1e9:.2f} s"
            recording = snooping.stop()
    assert stall["culprit"] == {"function": function, "file": str(script), "line": line}, stall["summary"]
    assert stall["cause"] == "cpu" and stall["tid"] == frozen.pid and "no_loop_yet" not in stall
    (end,) = recording.stalls()
    assert end["id"] == stall["id"] and end["truncated"] == "before_attach" and end["goes_on"] is True
    assert "not over when loopsnoop stopped" in snooping.text()


@pytest.mark.parametrize("loop", ["thread", "uvloop_thread"])
def test_python_in_a_thread(loop, folder):
    """The main thread only waits for the loop's thread to end: it is not what is frozen."""
    with target.python_loop(folder, wait="recv", loop=loop, count=1, more=["--freeze"]) as frozen:
        diagnose(frozen, folder, freeze.freeze(frozen), python=True, in_loop=True)


@pytest.mark.parametrize("wait", NATIVE_WAITS)
def test_native(wait, folder):
    with target.native_loop(folder, wait=wait, count=1, more=["--freeze"]) as frozen:
        diagnose(frozen, folder, freeze.freeze(frozen), python=False)


def test_hang_at_start_up(folder):
    """No loop yet: the main thread's waits are waits of one endless iteration."""
    with target.Target([places.native("life"), "start-up"], folder) as hanging:
        address = hanging.hear("frozen").split()[1]
        with snoop.Snoop("-p", hanging.pid, folder=folder) as snooping:
            stall = snooping.ongoing()
            assert stall["cause"] == "socket"
            wait = max(stall["waits"], key=lambda each: each["duration_ns"])
            assert wait["syscall"] == "connect"
            assert wait["resource"]["remote"] == address
            assert wait["resource"]["state"] == "SYN_SENT"
            assert stall["culprit"]["function"] == "connect_at_start"
            recording = snooping.stop()
    assert all(loop["poll"] is None for loop in recording.of("loop"))


def test_python_hang_at_start_up(folder):
    script = places.PYTHON_TARGETS / "startup_target.py"
    fifo = folder / "settings"
    os.mkfifo(fifo)
    lines = script.read_text(encoding="utf-8").splitlines()
    wanted = next(number for number, line in enumerate(lines, 1) if line.endswith("# <- blocks"))
    with target.Target([places.SYSTEM_PYTHON, script, fifo], folder) as hanging:
        hanging.hear("frozen")
        with snoop.Snoop("-p", hanging.pid, folder=folder) as snooping:
            stall = snooping.ongoing()
            snooping.stop()
    assert stall["cause"] == "pipe"
    assert stall["culprit"] == {"function": "load_settings", "file": str(script), "line": wanted}
    wait = max(stall["waits"], key=lambda each: each["duration_ns"])
    assert wait["resource"]["path"] == str(fifo)


def test_idle_loop_is_not_frozen(folder):
    """An endless wait in the loop's own poll call looks much the same; it is idle."""
    with target.Target([places.native("light"), "idle"], folder) as idle:
        idle.hear("ready")
        with snoop.Snoop("-p", idle.pid, "-d", "4s", folder=folder) as snooping:
            recording = snooping.finish()
    assert recording.of("stall") == []
