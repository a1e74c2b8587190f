# SPDX-License-Identifier: Apache-2.0
"""Where the binaries and targets are."""

import os
import pathlib

TESTS = pathlib.Path(__file__).resolve().parents[2]
ROOT = TESTS.parent
BUILD = pathlib.Path(os.environ.get("LOOPSNOOP_BUILD", ROOT / "build" / "release"))
LOOPSNOOP = pathlib.Path(os.environ.get("LOOPSNOOP_BIN", BUILD / "loopsnoop"))
NATIVE_TARGETS = pathlib.Path(os.environ.get("LOOPSNOOP_TARGETS", BUILD / "tests" / "targets"))
PYTHON_TARGETS = TESTS / "targets" / "python"
PYTHONS = ROOT / "build" / "pythons"
SYSTEM_PYTHON = "/usr/bin/python3"


def native(name):
    return str(NATIVE_TARGETS / f"target_{name}")
