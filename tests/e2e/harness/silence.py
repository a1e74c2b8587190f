# SPDX-License-Identifier: Apache-2.0
"""A mounted file system that stops answering when it is asked to: targets/python/silent_disk.py."""

import contextlib
import os
import pathlib
import subprocess

from . import places, waiting

EVERYTHING = "getattr open read readdir readlink"


class SilentDisk:
    """Use as a context: at its end the server is killed, which aborts the connection, so that whoever sleeps there goes on."""

    def __init__(self, folder):
        self.backing = folder / "backing"
        self.point = folder / "mounted"
        self.hang = folder / "hang"
        for each in (self.backing, self.point):
            each.mkdir()

    def __enter__(self):
        options = f"backing={self.backing},hang={self.hang},kernel_cache,attr_timeout=0,entry_timeout=0,negative_timeout=0"
        self.server = subprocess.Popen([places.SYSTEM_PYTHON, "-B", places.PYTHON_TARGETS / "silent_disk.py", self.point, "-f", "-o", options])
        try:
            waiting.until(lambda: self.server.poll() is not None or os.path.ismount(self.point), "the mount")
            assert self.server.poll() is None, "no FUSE here"
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_about):
        self.server.kill()
        self.server.wait()
        self.hang.unlink(missing_ok=True)
        subprocess.run(["umount", "-l", self.point], check=False, stderr=subprocess.DEVNULL)

    def close(self):
        """For contextlib.closing, inside the context of a target that may wait for the disk: it cannot end before."""
        self.__exit__()

    def add(self, source, name=None):
        """A copy of a file on the disk; its path there."""
        name = name or pathlib.Path(source).name
        (self.backing / name).write_bytes(pathlib.Path(source).read_bytes())
        (self.backing / name).chmod(0o755)
        return self.point / name

    def fall_silent(self, operations=EVERYTHING):
        self.hang.write_text(operations)
        if "read" in operations.split():
            # What is mapped stays; of all else nothing is left to be read without asking.
            with contextlib.suppress(OSError):
                pathlib.Path("/proc/sys/vm/drop_caches").write_text("3")


def helpers_of(pid):
    """The helper processes of a running loopsnoop, and theirs."""
    below = [int(child) for child in waiting.proc(pid, "children", pid).split()]
    found = [child for child in below if waiting.proc(child, "comm").strip() == "loopsnoop-files"]
    return found + [each for child in found for each in helpers_of(child)]
