# SPDX-License-Identifier: Apache-2.0
"""Runs loopsnoop on an incident of tests/incidents, and asks its recording for what is to be in it."""

import contextlib
import importlib
import pathlib
import subprocess
import sys
import time

from . import match, snoop, waiting

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "incidents"))

MS = 1_000_000


class Run:
    """An incident with loopsnoop beside it. `stop()` gives the recording."""

    def __init__(self, scene, snooping):
        self.scene = scene
        self.snooping = snooping

    def ongoing(self, wanted=lambda _stall: True, patience=waiting.PATIENCE_S):
        """The first record of a stall that goes on, and that `wanted` is true of."""
        return self.snooping.wait_for(
            lambda record: record["type"] == "stall" and record["phase"] == "ongoing" and wanted(record), "such stall", patience
        )

    def stop(self):
        """A command that loopsnoop started gets the first SIGINT, and may hang all the same: the second is for loopsnoop alone."""
        self.snooping.interrupt()
        if not self.scene.pid:
            with contextlib.suppress(subprocess.TimeoutExpired, ProcessLookupError):
                self.snooping.process.wait(2)
            if self.snooping.process.poll() is None:
                self.snooping.interrupt()
        self.recording = self.snooping.finish(0 if self.scene.pid else None)
        self.text = self.snooping.text()
        return self.recording


def stage(name, variant, folder, **settings):
    return importlib.import_module(f"stages.{name}").stage(folder, variant, **settings)


@contextlib.contextmanager
def run(name, variant, folder, *options, **settings):
    with stage(name, variant, folder, **settings) as scene:
        arguments = [*options, *(str(word) for word in scene.follow)]
        with snoop.Snoop(*arguments, folder=folder, environment=scene.environment or None, cwd=scene.folder) as snooping:
            try:
                snooping.session()
                scene.begin()
                yield Run(scene, snooping)
            finally:
                snooping.kill_all()


def for_a_while(seconds):
    time.sleep(seconds)


def marked(scene, name, frame):
    """Whether the frame is the line that is marked as that cause."""
    return frame is not None and scene.causes[name].is_of(frame)


def any_of(scene, names, frame):
    """The name of the marked line, of those, that the frame is; None: of none."""
    return next((name for name in names if marked(scene, name, frame)), None)


def blamed(scene, recording):
    """Names of the marked lines that stalls are blamed on, or that anything waited or computed in."""
    frames = [stall["culprit"] for stall in recording.stalls()] + recording.summary["lines"]
    return {name for name in scene.causes for frame in frames if marked(scene, name, frame)}


def nothing(run_, delay_ns, *names):
    """The mended variant: none of the lines is blamed, and no stall is there that this machine did not make."""
    assert not blamed(run_.scene, run_.recording) & set(names), run_.recording.stalls()
    match.hold([], run_.recording, match.Expectation(run_delay_ns=delay_ns))


def line(scene, recording, name, cause=None):
    """What the summary says of a marked line."""
    found = [each for each in recording.summary["lines"] if marked(scene, name, each) and cause in (None, each["cause"])]
    assert found, f"{name} is not among {recording.summary['lines']}"
    return found[0]
