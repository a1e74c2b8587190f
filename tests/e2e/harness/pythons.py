# SPDX-License-Identifier: Apache-2.0
"""Interpreters of other Debian suites, each in a root directory of its own (scripts/fetch-pythons)."""

import os
import pathlib
import shutil
import subprocess

import pytest

from . import places

VERSIONS = {"bullseye": "3.9", "bookworm": "3.11", "trixie": "3.13", "sid": "3.14"}


class Python:
    """Runs inside its root by chroot; its targets are copied there."""

    def __init__(self, suite):
        self.suite = suite
        self.version = VERSIONS[suite]
        self.root = places.PYTHONS / suite
        self.command = ["chroot", str(self.root), "/usr/bin/python3"]

    def place_targets(self, scripts):
        """Copies the scripts; where they are and where the target may write, both as it sees them."""
        for name in ("srv/loopsnoop-targets", "tmp/loopsnoop-scratch"):
            shutil.rmtree(self.root / name, ignore_errors=True)
        shutil.copytree(scripts, self.root / "srv/loopsnoop-targets", ignore=shutil.ignore_patterns("__pycache__"))
        (self.root / "tmp/loopsnoop-scratch").mkdir(parents=True)
        return pathlib.Path("/srv/loopsnoop-targets"), pathlib.Path("/tmp/loopsnoop-scratch")


def python_of(suite):
    python = Python(suite)
    if not (python.root / "usr/bin/python3").exists():
        pytest.skip(f"no interpreter in {python.root}: run scripts/fetch-pythons {suite}")
    return python


def command_of(suite, script, program=None, own_root=False):
    """The interpreter of a suite ("bookworm" is this machine's, unless it is to be one in a root of its own; `program` "3.15": not its
    usual one), and where it sees this target."""
    if suite == "bookworm" and not own_root:
        return [places.SYSTEM_PYTHON], places.PYTHON_TARGETS / script
    python = python_of(suite)
    command = [*python.command[:-1], f"/usr/bin/python{program}"] if program else python.command
    scripts, _scratch = python.place_targets(places.PYTHON_TARGETS)
    return command, scripts / script


def full_version(command):
    """As the interpreter itself says: "3.11.2"."""
    script = "import platform; print(platform.python_version())"
    return subprocess.run([*command, "-c", script], capture_output=True, text=True, check=True, env={**os.environ}).stdout.strip()
