# SPDX-License-Identifier: Apache-2.0
"""A system that a real systemd has booted, for what is installed as a service: boot.sh."""

import contextlib
import os
import pathlib
import subprocess

from . import cgroup, quota, waiting

NAMESPACES = ("--pid", "--mount", "--uts", "--ipc", "--cgroup")


class Booted:
    """Use as a context: at its end all of it is gone."""

    def __init__(self, folder):
        self.folder = folder / "booted"
        self.folder.mkdir()
        self.groups = []
        self.cleanup = contextlib.ExitStack()

    def __enter__(self):
        self.errors = open(self.folder.parent / "boot.stderr", "w+b")
        # systemd makes its groups below the one that it is started in: version 2, or both.
        for kind, options, point in quota.mounts():
            if kind == "cgroup2" or "name=systemd" in options:
                self.groups.append(self.cleanup.enter_context(cgroup.private(parent=point)))
        script = pathlib.Path(__file__).with_name("boot.sh")
        self.process = subprocess.Popen(
            ["unshare", *NAMESPACES, "--fork", "--kill-child", "/bin/bash", script, self.folder], stdin=subprocess.DEVNULL, stdout=self.errors, stderr=self.errors,
            preexec_fn=self._enter_groups,
        )
        try:
            self.init = waiting.until(self._init, "systemd", patience=120)
            waiting.until(self._is_up, "systemd's boot", patience=120)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_about):
        self.process.kill()
        self.process.wait()
        self.errors.close()
        self.cleanup.close()

    def _enter_groups(self):
        for group in self.groups:
            group.add(os.getpid())

    def _init(self):
        assert self.process.poll() is None, self._said()
        for pid in waiting.proc(self.process.pid, "children", self.process.pid).split():
            if waiting.proc(pid, "comm").strip() == "systemd":
                return int(pid)
        return None

    def _is_up(self):
        assert self.process.poll() is None, self._said()
        return self.run("systemctl", "is-system-running", check=False)[1].strip() in ("running", "degraded")

    def _said(self):
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace")

    def run(self, *command, check=True, given=b""):
        """A command inside, with `given` on its stdin."""
        done = subprocess.run(
            ["nsenter", "--target", str(self.init), "--all", "--root", "--wd", *(str(word) for word in command)],
            input=given, capture_output=True, timeout=4 * waiting.PATIENCE_S, env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"},
        )
        said = done.stdout.decode(errors="replace")
        assert not check or done.returncode == 0, f"{command}: {said}{done.stderr.decode(errors='replace')}"
        return said if check else (done.returncode, said)

    def write(self, path, content):
        self.run("sh", "-c", 'mkdir -p "$(dirname "$0")" && cat >"$0"', path, given=content if isinstance(content, bytes) else content.encode())
