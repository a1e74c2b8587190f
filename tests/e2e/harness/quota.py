# SPDX-License-Identifier: Apache-2.0
"""A cgroup with a CPU limit, v2 or v1, whichever this machine has the CPU controller in."""

import contextlib
import os
import pathlib

import pytest

from . import waiting


def mounts():
    """(type, super options, mount point) of each cgroup mount."""
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        kind, _, options = after.split(" ", 2)
        if kind in ("cgroup", "cgroup2"):
            yield kind, options.split(","), pathlib.Path(before.split()[4])


def controller():
    """("v2" or "v1", the folder to make cgroups in)."""
    for kind, options, point in mounts():
        if kind == "cgroup2" and "cpu" in (point / "cgroup.subtree_control").read_text().split():
            return "v2", point
        if kind == "cgroup" and "cpu" in options:
            return "v1", point
    return pytest.skip("no cgroup mount has the CPU controller")


@contextlib.contextmanager
def limited(pid, quota_us, period_us=100_000):
    """While it lasts the process may compute `quota_us` in each period, on all CPUs together."""
    version, parent = controller()
    folder = parent / f"loopsnoop-test-{os.getpid()}"
    folder.mkdir()
    try:
        if version == "v2":
            (folder / "cpu.max").write_text(f"{quota_us} {period_us}")
        else:
            (folder / "cpu.cfs_period_us").write_text(str(period_us))
            (folder / "cpu.cfs_quota_us").write_text(str(quota_us))
        (folder / "cgroup.procs").write_text(str(pid))
        yield folder
    finally:
        with contextlib.suppress(OSError):
            (parent / "cgroup.procs").write_text(str(pid))
        waiting.until(lambda: not (folder / "cgroup.procs").read_text().split(), "the cgroup to be empty")
        folder.rmdir()


def throttled_ns(folder):
    """What the kernel says so far."""
    stat = dict(line.split() for line in (folder / "cpu.stat").read_text().splitlines())
    return int(stat["throttled_time"]) if "throttled_time" in stat else int(stat["throttled_usec"]) * 1000
