# SPDX-License-Identifier: Apache-2.0
"""A target process: starts it, lets it go, reads its truth."""

import json
import os
import pathlib
import signal
import subprocess

from . import places, waiting


class Target:
    """Use as a context: at its end the process is gone."""

    def __init__(self, command, folder, truth=None, inside=pathlib.Path("/")):
        """`inside`: what the target sees as its root; the truth's path is given to the target relative to it."""
        self.command = [str(word) for word in command]
        self.folder = folder
        self.truth_path = truth
        self.inside = inside
        self.process = None
        self.lines = None

    def __enter__(self):
        self.errors = open(self.folder / "target.stderr", "w+b")
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, cwd=self.folder
        )
        self.lines = waiting.Lines(self.process.stdout)
        return self

    def __exit__(self, *_about):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.errors.close()

    @property
    def pid(self):
        return self.process.pid

    def hear(self, word):
        """Waits until it says a line that begins with `word`; the line."""
        line = self.lines.next()
        self.errors.seek(0)
        assert line is not None and line.startswith(word), f"wanted {word!r}, heard {line!r}; {self.errors.read().decode()}"
        return line

    def go(self):
        os.write(self.process.stdin.fileno(), b"go\n")

    def end(self):
        """Ends its stdin; its exit status."""
        self.process.stdin.close()
        return self.process.wait(waiting.PATIENCE_S)

    def truth(self):
        with open(self.truth_path, encoding="utf-8") as lines:
            return [json.loads(line) for line in lines]

    def events(self):
        return [each for each in self.truth() if each["kind"] == "event"]

    def loops(self):
        return [each for each in self.truth() if each["kind"] == "loop"]


def native_loop(folder, poll="epoll_wait", wait="nanosleep", count=11, more=()):
    truth = folder / "truth"
    command = [places.native("loop"), "--truth", truth, "--poll", poll, "--wait", wait, "--count", count, *more]
    return Target(command, folder, truth)


def python_loop(folder, wait="time_sleep", loop="asyncio", count=11, options=None, more=(), python=None):
    """`python`: an interpreter of harness.pythons; the system's one by default."""
    truth = folder / "truth"
    if python is None:
        script = places.PYTHON_TARGETS / "loop_target.py"
        command = [places.SYSTEM_PYTHON, script, "--truth", truth, "--scratch", folder]
    else:
        scripts, scratch = python.place_targets(places.PYTHON_TARGETS)
        truth = python.root / scratch.relative_to("/") / "truth"
        truth.unlink(missing_ok=True)
        command = [*python.command, scripts / "loop_target.py", "--truth", scratch / "truth", "--scratch", scratch]
    command += ["--wait", wait, "--loop", loop, "--count", count, "--options", json.dumps(options or {}), *more]
    return Target(command, folder, truth)
