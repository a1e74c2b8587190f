# SPDX-License-Identifier: Apache-2.0
"""The file of -j: nothing behind a link is touched, what cannot be written is counted, and no target makes it large."""

import json
import os
import resource
import signal
import stat
import subprocess
import time

import pytest

from harness import places, snoop, target, waiting

MIB = 1 << 20


@pytest.fixture
def light(folder):
    with target.Target([places.native("light"), "healthy"], folder) as one:
        one.hear("ready")
        yield one


def records(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def recording(path, *arguments, folder, preexec=None):
    """A loopsnoop that writes to a file, without a terminal."""
    errors = open(folder / "stderr", "wb")
    command = [str(places.LOOPSNOOP), "-q", "-j", str(path), *map(str, arguments)]
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True, preexec_fn=preexec
    )


def written(path):
    waiting.until(lambda: path.exists() and path.stat().st_size > 0, f"the first record in {path}")


def stop(process):
    process.send_signal(signal.SIGINT)
    return process.wait(waiting.PATIENCE_S)


@pytest.mark.parametrize("kind", ["symbolic", "hard"])
def test_nothing_behind_a_link_is_touched(light, folder, kind):
    precious = folder / "precious"
    precious.write_text("keep me\n")
    precious.chmod(0o644)
    link = folder / "out.jsonl"
    link.symlink_to(precious) if kind == "symbolic" else link.hardlink_to(precious)
    done = snoop.run_plain("-p", light.pid, "-d", "100ms", "-j", link)
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "link" in done.stderr and "out.jsonl" in done.stderr
    assert precious.read_text() == "keep me\n" and stat.S_IMODE(precious.stat().st_mode) == 0o644


def test_file_of_somebody_else(light, folder):
    path = folder / "out.jsonl"
    path.write_text("theirs\n")
    os.chown(path, 65534, 65534)
    done = snoop.run_plain("-p", light.pid, "-d", "100ms", "-j", path)
    assert done.returncode == 1 and "another user" in done.stderr and path.read_text() == "theirs\n"


def test_rotation(light, folder):
    """SIGHUP opens the file again, copytruncate leaves no hole, a removed file comes back; the session goes on."""
    path = folder / "out.jsonl"
    process = recording(path, "-p", light.pid, folder=folder)
    try:
        written(path)
        path.rename(folder / "out.1")
        process.send_signal(signal.SIGHUP)
        written(path)
        assert records(path)[0]["type"] == "session", "a file that is begun anew has its first line"
        os.truncate(path, 0)
        path.unlink()
        written(path)
        assert process.poll() is None
        assert stop(process) == 0
    finally:
        process.kill()
        process.wait()
    lines = records(path)
    assert lines[0]["type"] == "session" and lines[-1]["type"] == "summary" and lines[-1]["lost"]["unwritten"] == 0


def test_full_disk(folder):
    """A file-size limit, with its signal: records are lost whole and counted, the session goes on and ends as asked."""
    path = folder / "out.jsonl"
    loop = target.native_loop(folder, wait="recv", count=7)

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))

    with loop:
        loop.hear("ready")
        process = recording(path, "-p", loop.pid, folder=folder, preexec=limit)
        try:
            written(path)
            loop.go()
            loop.hear("done")
            time.sleep(0.3)
            assert process.poll() is None
            assert stop(process) == 0
        finally:
            process.kill()
            process.wait()
        loop.end()
    lines = records(path)  # each of them whole
    assert lines[0]["type"] == "session" and path.stat().st_size <= 6000
    assert sum(line["type"] == "stall" for line in lines) < 7


def test_few_descriptors_and_little_memory(light):
    """What the shell does not allow is one line, and no crash."""
    for limits in ("ulimit -n 64", "ulimit -v 60000"):
        command = f"{limits}; exec {places.LOOPSNOOP} -q -p {light.pid} -d 300ms"
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=waiting.PATIENCE_S, stdin=subprocess.DEVNULL)
        assert done.returncode in (0, 1), (limits, done.returncode, done.stderr)
        assert done.returncode == 0 or (done.stderr.count("\n") == 1 and done.stderr.startswith("loopsnoop: ")), (limits, done.stderr)


def test_arguments_are_echoed_as_text():
    for word in ("--\x1b[31mred", "-p\x1b[2J", "--threshold=1\n2"):
        done = snoop.run_plain(word)
        assert done.returncode == 2 and done.stderr.count("\n") == 1 and "\x1b" not in done.stderr, done.stderr


def test_names_of_control_characters(folder):
    """Fifty threads with a hundred frames of such names: a record is at most 1 MiB and says what it is without."""
    with target.Target([places.SYSTEM_PYTHON, places.ROOT / "tests/targets/hostile/long_names.py", "300", "2"], folder) as hostile:
        hostile.hear("ready")
        path = folder / "out.jsonl"
        process = recording(path, "-p", hostile.pid, folder=folder)
        try:
            written(path)
            hostile.go()
            hostile.hear("done")
            time.sleep(1)
            peak = next(int(line.split()[1]) for line in waiting.proc(process.pid, "status").splitlines() if line.startswith("VmHWM"))
            assert stop(process) == 0
        finally:
            process.kill()
            process.wait()
    lines = path.read_bytes().splitlines()
    stalls = [record for record in map(json.loads, lines) if record["type"] == "stall"]
    assert max(map(len, lines)) <= MIB and len(stalls) >= 2
    cut = [stall for stall in stalls if "left_out" in stall]
    assert cut and all(stall["left_out"]["threads"] + len(stall["threads"]) >= 300 for stall in cut if "threads" in stall)
    assert peak < 192 << 10, f"{peak} KiB"
    report = snoop.run_plain("report", path)
    assert report.returncode == 0 and not report.stderr


def test_report_of_an_endless_line(folder):
    """60 MB without a newline between two records: one clear line about it, in bounded memory, and the records are read."""
    path = folder / "huge.jsonl"
    session = '{"type":"session","schema":1,"version":"0.1.0","started_at":"2026-11-24T05:09:28.000123Z","start_ns":1,"host":"a","kernel":"6.1","threshold_ns":100000000,"argv":[]}\n'
    with open(path, "w", encoding="utf-8") as file:
        file.write(session + '{"type":"stall","summary":"')
        for _ in range(60):  # in pieces: what this process has in memory counts as its child's, until that executes its program
            file.write("x" * 1_000_000)
        file.write('"}\n' + session)
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    done = snoop.run_plain("report", path)
    after = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert done.returncode == 0 and done.stderr.count("\n") == 1 and "line 2" in done.stderr and "longer than" in done.stderr
    assert after <= max(before, 48 << 10), f"{after} KiB"
