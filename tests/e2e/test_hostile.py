# SPDX-License-Identifier: Apache-2.0
"""Processes that are made to cost whoever inspects them. Each is followed beside a healthy one, whose stalls are reported in time
meanwhile; loopsnoop keeps its bounds, ends when it is asked to, and says what it could not read. See harness/hostile.py."""

import contextlib
import subprocess
import time

import pytest

from harness import elf_bombs, hostile, places, silence, snoop, target, waiting

LONG_NAMES = places.TESTS / "targets/hostile/long_names.py"


@pytest.mark.parametrize(
    ("bomb", "files", "frames_each"),
    [
        (elf_bombs.packed_lines, 90, 1),
        (elf_bombs.many_symbols, 60, 1),
        (elf_bombs.empty_units, 20, 1),
        (elf_bombs.many_rows, 1, 250),
        (elf_bombs.debug_link, 30, 1),
        (elf_bombs.common_entries, 8, 31),
        (elf_bombs.common_entries_only, 8, 1),
        (elf_bombs.long_names, 90, 2),
    ],
    ids=lambda value: value.__name__ if callable(value) else None,
)
def test_files(bomb, files, frames_each, folder):
    paths = [folder / f"{number}.so" for number in range(files)]
    bomb(paths[0])
    for path in paths[1:]:
        subprocess.run(["cp", "--sparse=always", paths[0], path], check=True)
    with hostile.Hostile(folder, "frames", 300, frames_each, *paths) as loop:
        recording = hostile.follow(folder, "-p", loop.pid)
    stalls = [stall for stall in recording.stalls() if stall["pid"] == loop.pid]
    assert len(stalls) >= 2
    # Whatever has no name has its file and offset.
    frames = [frame for stall in stalls for wait in stall["waits"] for frame in (wait["stack"] or {}).get("native", [])]
    assert all(frame["function"] or (frame["module"] and frame["offset"]) for frame in frames[:-1])


@pytest.mark.parametrize("command", [None, "dump", "doctor"])
def test_a_libpython_of_8_gib(command, folder):
    library = folder / "libpython3.11.so"
    elf_bombs.sparse_symbols(library)
    with hostile.Hostile(folder, "frames", 300, 1, library) as loop:
        if command is None:
            hostile.follow(folder, "-p", loop.pid, seconds=3)
            return
        before = time.monotonic()
        done = snoop.run_plain(command, "-p", loop.pid)
        assert done.returncode in (0, 1)
        assert time.monotonic() - before < 5


def test_a_stack_in_a_file_that_does_not_answer(folder):
    """The target has no rights; who copies its stack reads a file of its own file system."""
    with silence.SilentDisk(folder) as disk:
        data = disk.backing / "data"
        data.write_bytes(bytes(1 << 20))
        with hostile.Hostile(folder, "stack", disk.point / "data") as loop, contextlib.closing(disk):
            disk.fall_silent("read")
            hostile.follow(folder, "-p", loop.pid)


@pytest.mark.parametrize(
    ("mode", "number"),
    [("threads", 10_000), ("descriptors", 100_000), ("mappings", 60_000), ("forks", 0), ("execs", 0)],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_many(mode, number, folder):
    more = ()
    if mode == "mappings":
        deep = folder
        for _ in range(8):  # a path of about 1,600 bytes
            deep /= "\n" * 200
        deep.mkdir(parents=True)
        (deep / "file").write_bytes(bytes(16384))
        more = (deep / "file",)
    with hostile.Hostile(folder, mode, number, *more) as loop:
        recording = hostile.follow(folder, "-p", loop.pid)
    assert any(stall["pid"] == loop.pid for stall in recording.stalls())


def test_a_tenant_with_a_thousand_loops_leaves_room(folder):
    """With --all, a server that begins after it is followed all the same."""
    with hostile.Hostile(folder, "loops", 1100):
        with snoop.Snoop("--all", folder=folder) as snooping:
            snooping.session()
            time.sleep(1)
            with hostile.Beating(folder / "newcomer") as newcomer:
                snooping.wait_for(lambda record: record["type"] == "stall" and record["pid"] == newcomer.pid, "stall of the newcomer", 10)
            recording = snooping.stop()
    assert recording.lost()["no_slot"] > 0


def test_the_second_of_two_that_are_named(folder):
    """Two thousand loops in the first take no slot from the second."""
    with hostile.Hostile(folder, "loops", 2000) as many:
        hostile.follow(folder, "-p", many.pid, seconds=3)


def test_long_names(folder):
    """Three hundred threads, a hundred frames each, of names of 4,000 control characters."""
    with target.Target([places.SYSTEM_PYTHON, LONG_NAMES, "300", "9"], folder) as loop:
        loop.hear("ready")
        loop.go()
        hostile.follow(folder, "-p", loop.pid, seconds=5)


def test_its_main_thread_has_ended(folder):
    """The process is its other threads then, and one of them is the loop."""
    with hostile.Hostile(folder, "leaderless") as loop:
        waiting.until(lambda: waiting.state_of(loop.pid) == "Z", "the end of the main thread")
        recording = hostile.follow(folder, "-p", loop.pid, seconds=3)
        dump = snoop.run_plain("dump", "-p", loop.pid)
    stalls = [stall for stall in recording.stalls() if stall["pid"] == loop.pid]
    assert len(stalls) >= 2
    assert any(frame["function"] for frame in stalls[-1]["waits"][0]["stack"]["native"]), stalls[-1]
    assert not recording.of("exit")
    assert dump.returncode == 0, dump.stderr
