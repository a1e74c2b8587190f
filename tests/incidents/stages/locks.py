# SPDX-License-Identifier: Apache-2.0
"""Incident 5, first half: locks taken in a circle while a service starts. `shape`: import locks, or two of its own."""
import contextlib

from . import scene

APPLICATION = scene.FOLDER / "locks"
SHAPES = ("imports", "locks")


@contextlib.contextmanager
def stage(folder, variant, shape="imports", start=True):
    port = scene.servers.free_port()
    causes = scene.causes(APPLICATION / variant, variant)
    command = [scene.PYTHON, APPLICATION / variant / "main.py", shape, port]
    if not start:
        yield scene.Scene(["--", *(str(word) for word in command)], causes, 0, port, environment=scene.environment())
        return
    with scene.process(command, folder, "service") as running:
        yield scene.Scene(["-p", running.pid], causes, running.pid, port)
