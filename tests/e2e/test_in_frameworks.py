# SPDX-License-Identifier: Apache-2.0
"""Each stall names the task whose step it was, under Trio and gevent."""

import subprocess
import time

import pytest

from harness import pythons, snoop

INTERPRETERS = [("bookworm", "gevent"), ("bookworm", "trio"), ("bullseye", "trio"), ("trixie", "trio"), ("sid", "trio")]


@pytest.mark.parametrize("suite, framework", INTERPRETERS)
def test_task_of_a_stall(suite, framework, folder):
    # Trio is in the roots of the other interpreters alone.
    command, script = pythons.command_of(suite, "in_frameworks.py", own_root=framework == "trio")
    target = subprocess.Popen([*command, script, framework], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert target.stdout.readline() == "ready\n"
        with snoop.Snoop("-p", target.pid, "-T", "50ms", folder=folder) as snooping:
            snooping.session()
            time.sleep(1.5)  # where greenlets are is looked for once it is followed
            target.stdin.write("go\n")
            target.stdin.flush()
            truth = [line.split() for line in iter(target.stdout.readline, "done\n") if line]
            recording = snooping.stop()
    finally:
        target.kill()
        target.wait()
        target.stdin.close()
        target.stdout.close()
    assert len(truth) == 2
    for kind, name, made_of in truth:
        (stall,) = [stall for stall in recording.stalls() if stall["culprit"] and stall["culprit"]["function"] == kind]
        assert stall["task"]["name"] == name, stall["summary"]
        assert stall["task"]["coroutine"].split(".")[-1] == made_of, stall["task"]
        assert f", in task {name}" in stall["summary"]
