# SPDX-License-Identifier: Apache-2.0
"""File systems that do not answer, under whatever a target has of files: loopsnoop goes on, says so, and ends when it is asked to."""

import contextlib
import os
import signal
import subprocess
import time

import pytest

from harness import places, silence, snoop, target, waiting
from harness.hostile import Beating

MS = 1_000_000
HANG_AFTER_MS = 400
LATEST_NS = 1000 * MS  # after --hang-after, and after Ctrl-C
OPENS = """
import asyncio, os, sys
async def main():
    loop = asyncio.get_running_loop()
    loop.add_reader(0, lambda: (os.read(0, 9), open(sys.argv[1]).close()))
    print("ready", flush=True)
    while True:
        await asyncio.sleep(0.1)
asyncio.run(main())
"""


@pytest.fixture
def disk(folder):
    with silence.SilentDisk(folder) as mounted:
        yield mounted


def stop_in_time(snooping, **more):
    before = time.monotonic_ns()
    recording = snooping.stop(**more)
    assert time.monotonic_ns() - before < LATEST_NS + snooping.delay_ns_at_end, "it does not end"
    return recording


@contextlib.contextmanager
def following(folder, *arguments):
    with snoop.Snoop(*arguments, "--hang-after", f"{HANG_AFTER_MS}ms", folder=folder) as snooping:
        snooping.delay_ns_at_end = 500 * MS  # of a machine with two CPUs and other tests
        snooping.session()
        yield snooping


def check_gone(helpers):
    """None is left once nobody waits in the file system any more."""
    waiting.until(lambda: not [pid for pid in helpers if waiting.proc(pid, "stat")], "the end of the helpers")


@pytest.mark.parametrize("operations", [silence.EVERYTHING, "open", "read", "getattr"])
def test_program(operations, disk, folder):
    """The program's own file: its stalls are reported in time, with addresses in place of names."""
    with Beating(folder, disk.add(places.native("light"))) as loop, contextlib.closing(disk):
        disk.fall_silent(operations)
        with following(folder, "-p", loop.pid) as snooping:
            for _ in range(3):
                snooping.wait_for(lambda record: record["type"] == "stall", "stall", patience=5)
            helpers = silence.helpers_of(snooping.process.pid)
            recording = stop_in_time(snooping)
            text = snooping.text()
    assert recording.stalls()
    assert all(stall["waits"] for stall in recording.stalls())
    if operations != "getattr":  # which the kernel asks for new names only
        assert len(helpers) >= 3, "the one that forks, one that hangs, one that answers"
        assert recording.lost()["unanswered"] > 0
        assert "which does not answer" in text and str(disk.point) in text, text
    disk.__exit__()
    check_gone(helpers)


def test_path_argument(disk, folder):
    """The loop itself waits for that file system, in open(): shown within a second, with the path."""
    path = disk.add(__file__, "data")
    with target.Target([places.SYSTEM_PYTHON, "-c", OPENS, path], folder) as loop, contextlib.closing(disk):
        loop.hear("ready")
        with following(folder, "-p", loop.pid) as snooping:
            disk.fall_silent()
            loop.go()
            stall = snooping.ongoing(5)
            late = snooping.arrival_ns(stall) - stall["start_ns"] - HANG_AFTER_MS * MS
            assert late < LATEST_NS, f"{late / MS:.0f} ms late"
            assert any(str(path) in str(wait["resource"]) for wait in stall["waits"]), stall["waits"]
            stop_in_time(snooping)


def test_working_directory_and_source(disk, folder):
    """Its working directory and the interpreter's source lie there, and it opens by a relative path."""
    script = disk.add(__file__, "app.py")
    (disk.backing / "app.py").write_text(OPENS)
    with subprocess.Popen([places.SYSTEM_PYTHON, script, "app.py"], cwd=disk.point, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as loop:
        try:
            assert loop.stdout.readline() == b"ready\n"
            with following(folder, "-p", loop.pid) as snooping:
                disk.fall_silent()
                loop.stdin.write(b"go\n")
                loop.stdin.flush()
                stall = snooping.ongoing(5)
                assert any("app.py" in str(wait["resource"]) for wait in stall["waits"]), stall["waits"]
                stop_in_time(snooping)
        finally:
            disk.__exit__()
            loop.kill()


@pytest.mark.parametrize("arguments", [(), ("--all",)], ids=["named", "all"])
def test_the_healthy_one_beside_it(arguments, disk, folder):
    """Of two targets one lies on the dead file system: the other one's stalls are reported as they end."""
    with Beating(folder, disk.add(places.native("light"))) as dead, Beating(folder / "healthy") as healthy, contextlib.closing(disk):
        disk.fall_silent()
        named = arguments or ("-p", dead.pid, "-p", healthy.pid)
        with following(folder, *named) as snooping:
            time.sleep(4)
            recording = stop_in_time(snooping)
            arrivals = list(snooping.arrivals_ns)
        ends = [(stall, arrivals[recording.records.index(stall)]) for stall in recording.stalls() if stall["pid"] == healthy.pid]
        assert len(ends) >= 5
        worst = max(arrival - stall["start_ns"] - stall["duration_ns"] for stall, arrival in ends)
        assert worst < LATEST_NS, f"{worst / MS:.0f} ms late"


@pytest.mark.parametrize("command", ["dump", "doctor"])
def test_one_snapshot(command, disk, folder):
    with Beating(folder, disk.add(places.native("light"))) as loop, contextlib.closing(disk):
        disk.fall_silent()
        before = time.monotonic()
        done = snoop.run_plain(command, "-p", loop.pid)
        assert time.monotonic() - before < 5
        assert done.returncode in ((0,) if command == "dump" else (0, 1))
        assert "which does not answer" in done.stderr, done.stderr


@pytest.mark.parametrize("operations", ["open read", "read"])
def test_command_there(operations, disk, folder):
    """A command whose program cannot be opened, or not be read: one Ctrl-C is enough."""
    program = disk.add(places.native("light"))
    disk.fall_silent(operations)
    with snoop.Snoop("--hang-after", "400ms", "--", program, "beats", folder=folder) as snooping, contextlib.closing(disk):
        snooping.delay_ns_at_end = 500 * MS
        snooping.session()
        time.sleep(1)
        before = time.monotonic_ns()
        os.kill(snooping.process.pid, signal.SIGINT)
        snooping.process.wait(waiting.PATIENCE_S)
        assert time.monotonic_ns() - before < LATEST_NS + snooping.delay_ns_at_end
        disk.__exit__()
        snooping.finish(None)


def test_it_answers_again(disk, folder):
    """What did not answer for a while is read once it does."""
    with Beating(folder, disk.add(places.native("light"))) as loop, contextlib.closing(disk):
        disk.fall_silent()
        with following(folder, "-p", loop.pid) as snooping:
            snooping.wait_for(lambda record: record["type"] == "stall", "stall", patience=5)
            waiting.until(lambda: "does not answer" in snooping.text(), "the note")
            disk.hang.unlink()
            waiting.until(lambda: "did not answer for a while" in snooping.text(), "the other note")
            stop_in_time(snooping)

