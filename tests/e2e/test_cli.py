# SPDX-License-Identifier: Apache-2.0
"""The command line from outside: help, errors of one line, exit statuses, where the JSON goes."""

import contextlib
import os
import re
import stat
import subprocess

import pytest

from harness import places, snoop, target, waiting


@pytest.fixture
def light(folder):
    with target.Target([places.native("light"), "healthy"], folder) as running:
        running.hear("ready")
        yield running


def one_line(result):
    """What went wrong, in one line on stderr, and nothing on stdout."""
    assert result.stdout == ""
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    return lines[0]


def test_help_opens_with_commands():
    result = snoop.run_plain("--help")
    assert result.returncode == 0 and result.stderr == ""
    first = result.stdout.index("loopsnoop -p")
    assert first < result.stdout.index("--threshold")
    for option in "--pid --tid --children --threshold --hang-after --duration --json --stack-bytes --fail-on-stall --quiet --verbose".split():
        assert option in result.stdout, option


def test_version_is_the_session_s(light, folder):
    result = snoop.run_plain("--version")
    assert result.returncode == 0
    with snoop.Snoop("-p", light.pid, "-d", "100ms", folder=folder) as snooping:
        session = snooping.finish().session
    assert session["version"] in result.stdout
    assert session["argv"][-4:] == ["-p", str(light.pid), "-d", "100ms"]
    assert session["kernel"] == os.uname().release
    assert session["host"] == os.uname().nodename


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--nonsense", "-p", "1"],
        ["-p", ""],
        ["-p", "-5"],
        ["-p", "1", "-T", "soon"],
        ["-p", "1", "-d"],
        ["-p", "1", "--hang-after", "-1s"],
        ["-p", "1", "--stack-bytes", "many"],
        ["-p", "1", "--", "true"],
        ["report"],
    ],
)
def test_wrong_command_line(arguments):
    result = snoop.run_plain(*arguments)
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.strip()


def test_process_that_is_not_there():
    child = subprocess.Popen(["true"])
    child.wait()
    result = snoop.run_plain("-p", child.pid)
    assert result.returncode == 1
    assert str(child.pid) in one_line(result)


def test_process_that_is_dead_but_not_buried():
    child = subprocess.Popen(["true"])
    waiting.until(lambda: waiting.state_of(child.pid) == "Z", "it to die")
    result = snoop.run_plain("-p", child.pid)
    child.wait()
    assert result.returncode == 1
    assert str(child.pid) in one_line(result)


def test_without_permission(light):
    result = snoop.run_plain("-p", light.pid, user="nobody")
    assert result.returncode == 1
    assert re.search(r"root|CAP_|permission|sudo", one_line(result))


def test_recording_that_is_not_there(folder):
    result = snoop.run_plain("report", folder / "missing.jsonl")
    assert result.returncode == 1
    assert "missing.jsonl" in one_line(result)


def test_json_file_that_cannot_be_made(light, folder):
    result = snoop.run_plain("-p", light.pid, "-d", "100ms", "-j", folder / "missing" / "out.jsonl")
    assert result.returncode == 1
    assert "out.jsonl" in one_line(result)


def test_command_that_is_not_there():
    result = snoop.run_plain("--", "/nonexistent/program")
    assert result.returncode in (1, 127)
    assert "/nonexistent/program" in result.stderr


def test_json_file_is_private(light, folder):
    path = folder / "out.jsonl"
    result = snoop.run_plain("-p", light.pid, "-d", "200ms", "-j", path)
    assert result.returncode == 0, result.stderr
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    snoop.read_recording(path)


def test_json_to_stdout_sends_text_to_stderr(light, folder):
    for option in (["--json"], ["--json", "-"], ["-j"]):
        result = snoop.run_plain("-p", light.pid, "-d", "200ms", *option)
        assert result.returncode == 0, result.stderr
        records = [snoop.parse_line(line.encode()) for line in result.stdout.splitlines()]
        snoop.schema.judge(records)


def test_no_colour_without_a_terminal(light):
    result = snoop.run_plain("-p", light.pid, "-d", "1200ms")
    assert "\x1b" not in result.stdout + result.stderr
    assert "\r" not in result.stdout + result.stderr


def test_duration(light, folder):
    with snoop.Snoop("-p", light.pid, "-d", "700ms", folder=folder) as snooping:
        recording = snooping.finish()
    assert 650_000_000 <= recording.summary["duration_ns"] <= 3_000_000_000


@pytest.mark.parametrize("duration, said", [("60", True), ("100ms", False)])
def test_duration_that_no_stall_fits_into(duration, said, light):
    result = snoop.run_plain("-p", light.pid, "-d", duration)
    assert ("a bare number is milliseconds" in result.stdout) == said, result.stdout


@pytest.mark.parametrize("stalls", [False, True])
def test_fail_on_stall(stalls, folder):
    with target.Target([places.native("light"), "beats"], folder) as beating:
        beating.hear("ready")
        with snoop.Snoop("-p", beating.pid, "--fail-on-stall", "-d", "1500ms", folder=folder) as snooping:
            snooping.session()
            if stalls:
                beating.go()
            recording = snooping.finish(status=3 if stalls else 0)
    assert bool(recording.stalls()) == stalls


@pytest.mark.parametrize("threshold, found", [("250ms", True), ("400", False), ("0.25s", True), ("250000us", True)])
def test_threshold(threshold, found, folder):
    """Beats of 300 ms."""
    with target.Target([places.native("light"), "beats"], folder) as beating:
        beating.hear("ready")
        with snoop.Snoop("-p", beating.pid, "-T", threshold, "-d", "1200ms", folder=folder) as snooping:
            session = snooping.session()
            beating.go()
            recording = snooping.finish()
    assert session["threshold_ns"] == (400_000_000 if threshold == "400" else 250_000_000)
    ordinary = [stall for stall in recording.stalls() if stall["truncated"] is None and stall["cause"] == "sleep"]
    assert bool(ordinary) == found


def test_doctor(light):
    result = snoop.run_plain("doctor", "-p", light.pid)
    assert result.returncode == 0, result.stderr
    assert "BTF" in result.stdout


def test_two_processes(folder):
    with contextlib.ExitStack() as stack:
        lights = []
        for number in range(2):
            own = folder / str(number)
            own.mkdir()
            lights.append(stack.enter_context(target.Target([places.native("light"), "beats"], own)))
        for each in lights:
            each.hear("ready")
        pids = [each.pid for each in lights]
        with snoop.Snoop("-p", pids[0], "-p", pids[1], "-d", "2s", folder=folder) as snooping:
            snooping.session()
            for each in lights:
                each.go()
            recording = snooping.finish()
    assert {loop["pid"] for loop in recording.of("loop")} == set(pids)
    assert {stall["pid"] for stall in recording.stalls()} == set(pids)
