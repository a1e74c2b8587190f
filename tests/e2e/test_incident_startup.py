# SPDX-License-Identifier: Apache-2.0
"""Incident 4: never gets up."""

import os
import re
import signal

import pytest

from harness import incidents, servers, snoop, waiting

OPTIONS = ("--hang-after", "700ms")


def check_startup(stall, run, name):
    assert incidents.marked(run.scene, name, stall["culprit"]), stall
    assert stall["cause"] == "socket"
    assert stall["no_loop_yet"] is True
    assert 0.6e9 < stall["startup"]["process_age_ns"] < 30e9
    place = run.scene.causes[name]
    assert "startup: no event loop seen yet, " in stall["summary"]
    assert f"({place.file}:{place.line})" in stall["summary"]
    assert "startup: no event loop seen yet, " in run.text


@pytest.mark.parametrize("start", [True, False])  # -p PID, -- COMMAND
def test_connect_that_is_not_answered(start, folder):
    with incidents.run("startup", "broken", folder, *OPTIONS, shape="connect", start=start) as run:
        stall = run.ongoing(lambda stall: stall["cause"] == "socket")
        run.stop()
    check_startup(stall, run, "connect")
    assert stall["startup"]["listening"] == []
    (wait,) = [each for each in stall["waits"] if each["ongoing"]]
    assert wait["syscall"] == "connect"
    assert (wait["resource"]["remote"], wait["resource"]["state"]) == (f"127.0.0.1:{run.scene.peers['config']}", "SYN_SENT")
    said = rf"nothing listening [\d.]+ m?s after the process began: connecting to 127\.0\.0\.1:{run.scene.peers['config']}.*SYN_SENT"
    assert re.search(said, stall["summary"]), stall["summary"]


def test_asleep_before_its_interpreter_was_known(folder):
    """On a machine with too much to do loopsnoop may not run between the process's first instruction and its wait: what the kernel
    side captured of that has no Python frames. They are there all the same, also when the wait has ended and the process with it."""
    connect = "42 "  # as /proc/PID/syscall begins
    with incidents.stage("startup", "broken", folder, shape="connect") as scene:
        os.kill(scene.pid, signal.SIGSTOP)
        with snoop.Snoop(*OPTIONS, "-p", scene.pid, folder=folder) as snooping:
            snooping.session()
            os.kill(snooping.process.pid, signal.SIGSTOP)
            waiting.until(lambda: waiting.state_of(snooping.process.pid) == "T", "loopsnoop to stop")
            os.kill(scene.pid, signal.SIGCONT)
            waiting.until(lambda: waiting.proc(scene.pid, "syscall").startswith(connect), "connect()")
            os.kill(snooping.process.pid, signal.SIGCONT)
            ongoing = snooping.wait_for(lambda each: each["type"] == "stall" and each["cause"] == "socket", "such stall")
            os.kill(scene.pid, signal.SIGKILL)
            recording = snooping.finish(0)
    (ended,) = recording.stalls()
    for stall in (ongoing, ended):
        assert incidents.marked(scene, "connect", stall["culprit"]), stall
        (wait,) = [each for each in stall["waits"] if each["syscall"] == "connect"]
        assert incidents.marked(scene, "connect", wait["stack"]["python"][1]), wait["stack"]


def test_two_that_wait_for_each_other(folder):
    with incidents.run("startup", "broken", folder, *OPTIONS, shape="each_other") as run:
        stall = run.ongoing(lambda stall: stall["cause"] == "socket")
        run.stop()
    check_startup(stall, run, "wait")
    scene = run.scene
    assert stall["startup"]["listening"] == [{"address": f"127.0.0.1:{scene.port}", "waiting": 1}]
    assert stall["peer"]["waits_for_us"] is True
    assert any(incidents.marked(scene, "wait", frame) for frame in stall["peer"]["thread"]["stack"]["python"])
    assert re.search(rf"listening on 127\.0\.0\.1:{scene.port}, where 1 connection is not accepted", stall["summary"])
    assert re.search(
        rf"waiting for an answer from 127\.0\.0\.1:{scene.peers['partner_port']} of \S+ \(pid {scene.peers['partner']}\), "
        rf"which itself waits for an answer from this process at each_other\.py:{scene.causes['wait'].line}",
        stall["summary"],
    ), stall["summary"]


@pytest.mark.parametrize("shape", ["connect", "each_other"])
def test_mended(shape, folder):
    with incidents.run("startup", "mended", folder, shape=shape, start=shape == "each_other") as run:
        waiting.until(lambda: servers.accepts(run.scene.port), "the service")
        incidents.for_a_while(2)
        recording = run.stop()
    assert not [stall for stall in recording.stalls() if stall["cause"] == "socket"]
    assert not incidents.blamed(run.scene, recording)
    assert any(loop["poll"] for loop in recording.of("loop"))
