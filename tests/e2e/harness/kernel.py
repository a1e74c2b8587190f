# SPDX-License-Identifier: Apache-2.0
"""What BPF objects the kernel holds."""

import json
import subprocess

from . import waiting


def objects():
    """{(kind, id)} of programs, maps and links."""
    found = set()
    for kind in ("prog", "map", "link"):
        listed = subprocess.run(["bpftool", "--json", kind, "list"], capture_output=True, text=True, check=True).stdout
        found |= {(kind, each["id"]) for each in json.loads(listed or "[]") or []}
    return found


def assert_nothing_left(before):
    """Nothing is there that was not before. The kernel frees maps and programs a little later, from a worker."""
    waiting.until(lambda: not objects() - before, f"{objects() - before} to go")
