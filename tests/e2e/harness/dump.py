# SPDX-License-Identifier: Apache-2.0
"""`loopsnoop dump` of a process."""

import contextlib
import json
import subprocess

from . import places, schema, snoop, target, waiting

FUTEX = 202  # x86-64


def take(pid):
    """The record, held to the schema."""
    result = snoop.run_plain("dump", "-p", pid, "--json")
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    (line,) = result.stdout.splitlines()
    record = snoop.parse_line(line.encode())
    schema.check_record(0, record)
    assert record["type"] == "dump" and record["pid"] == pid
    return record


def text(pid, *options):
    result = snoop.run_plain("dump", "-p", pid, *options)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    return result.stdout


@contextlib.contextmanager
def locked(folder, *mode):
    """The process of target_locked, and what it says of itself."""
    with target.Target([places.native("locked"), *mode], folder) as process:
        yield process, json.loads(process.hear("ready").partition(" ")[2])


def until_asleep(pid, *tids, number=FUTEX):
    waiting.until(lambda: all(waiting.sleeps_in(pid, tid, number) for tid in tids), "the threads to sleep")


def sleeper():
    return subprocess.Popen(["sleep", "100"], stdin=subprocess.DEVNULL)
