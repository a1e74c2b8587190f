# SPDX-License-Identifier: Apache-2.0
"""A cgroup of its own for the processes of a test, so that what else runs on the machine stays out of it."""

import contextlib
import itertools
import os
import pathlib
import time

import pytest

from . import quota, waiting

NUMBERS = itertools.count(1)


class Cgroup:
    def __init__(self, folder, path):
        self.folder = folder
        self.path = path  # as /proc/PID/cgroup has it

    def add(self, pid):
        (self.folder / "cgroup.procs").write_text(str(pid))

    def pids(self):
        return {int(line) for path in self.folder.rglob("cgroup.procs") for line in path.read_text().split()}

    def below(self, name):
        folder = self.folder / name
        folder.mkdir()
        return Cgroup(folder, f"{self.path}/{name}")


def hierarchy():
    """The folder to make cgroups in: of v2, else of any v1 hierarchy that wants no settings before a process may enter."""
    found = list(quota.mounts())
    for kind, options, point in sorted(found, key=lambda each: each[0] != "cgroup2"):
        if kind == "cgroup2" or {"pids", "freezer", "name=systemd"} & set(options):
            return point
    return pytest.skip("no cgroup file system is mounted")


@contextlib.contextmanager
def private(name=None, parent=None):
    """At its end whoever is still in it is killed, and it is removed."""
    parent = parent or hierarchy()
    folder = parent / (name or f"loopsnoop-test-{os.getpid()}-{next(NUMBERS)}")
    folder.mkdir()
    try:
        # What this process is in may be below the mount point.
        yield Cgroup(folder, "/" + str(folder.relative_to(parent)))
    finally:
        made = Cgroup(folder, "")
        deadline = time.monotonic() + waiting.PATIENCE_S
        while made.pids() and time.monotonic() < deadline:
            for pid in made.pids():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, 9)
            time.sleep(0.02)
        for path in sorted((path for path in pathlib.Path(folder).rglob("*") if path.is_dir()), reverse=True):
            path.rmdir()
        folder.rmdir()
