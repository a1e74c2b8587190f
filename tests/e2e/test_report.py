# SPDX-License-Identifier: Apache-2.0
"""`loopsnoop report` prints from a recording what was printed live: without root, without the kernel."""

import re
import subprocess

import pytest

from harness import places, snoop, target, waiting

LOCAL = re.compile(r"\S+\.(?:c|py):\d+")


@pytest.fixture
def recorded(folder):
    """A recording in a file, and the text of the live session."""
    path = folder / "out.jsonl"
    with target.python_loop(folder, wait="recv", count=7) as loop:
        loop.hear("ready")
        command = [str(places.LOOPSNOOP), "-p", str(loop.pid), "-j", str(path)]
        with open(folder / "live.text", "w+b") as text:
            live = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=text, stderr=subprocess.PIPE)
            waiting.until(lambda: live.poll() is not None or (path.exists() and path.stat().st_size > 0), "the session")
            loop.go()
            loop.hear("done")
            live.send_signal(2)
            errors = live.communicate(timeout=waiting.PATIENCE_S)[1]
            assert live.returncode == 0, errors
        loop.end()
        events = loop.events()
    return path, (folder / "live.text").read_text(), snoop.read_recording(path), events


def test_same_as_live(recorded, folder):
    path, live, recording, events = recorded
    assert len(recording.stalls()) == len([event for event in events if event["end_ns"] - event["start_ns"] > 101_000_000])
    place = f"{events[0]['file'].rpartition('/')[2]}:{events[0]['line']}"
    assert place in live
    result = snoop.run_plain("report", path)
    assert result.returncode == 0, result.stderr
    assert place in result.stdout
    # Every source line that was shown live is shown again, and no other.
    assert set(LOCAL.findall(result.stdout)) == set(LOCAL.findall(live))


def test_as_another_user(recorded):
    path, _, _, _ = recorded
    as_root = snoop.run_plain("report", path)
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    as_nobody = snoop.run_plain("report", path, user="nobody")
    assert as_nobody.returncode == 0, as_nobody.stderr
    assert as_nobody.stdout == as_root.stdout
    assert as_nobody.stdout.strip()


def test_from_stdin(recorded):
    path, _, _, _ = recorded
    with open(path, "rb") as lines:
        result = subprocess.run([places.LOOPSNOOP, "report", "-"], stdin=lines, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout == snoop.run_plain("report", path).stdout


def test_recording_that_was_cut_off(recorded, folder):
    """loopsnoop was killed while it wrote: what is there is shown."""
    path, _, _, events = recorded
    cut = folder / "cut.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    last_stall = max(number for number, line in enumerate(lines) if b'"stall"' in line[:20])
    cut.write_bytes(b"".join(lines[:last_stall]) + lines[last_stall][: len(lines[last_stall]) // 2])
    result = snoop.run_plain("report", cut)
    assert result.returncode in (0, 1)
    assert f"{events[0]['file'].rpartition('/')[2]}:{events[0]['line']}" in result.stdout


def test_file_that_is_no_recording(folder):
    path = folder / "garbage"
    path.write_bytes(bytes(range(256)) * 64)
    result = snoop.run_plain("report", path)
    assert result.returncode == 1
    assert len(result.stderr.strip().splitlines()) == 1
    assert "garbage" in result.stderr
