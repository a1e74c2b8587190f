# SPDX-License-Identifier: Apache-2.0
"""What becomes of the target, and of loopsnoop."""

import contextlib
import os
import pathlib
import signal
import subprocess
import time

import pytest

from harness import follow, kernel, match, places, snoop, target, waiting

MS = match.MS


def life(folder, *mode):
    return target.Target([places.native("life"), *mode], folder)


def attached(running, folder, *arguments):
    running.hear("ready")
    return snoop.Snoop("-p", running.pid, *arguments, folder=folder)


def sleeps_in(stall, function):
    """The compiler put the target's sleep_ms() into the functions that call it: each has its own frame all the same."""
    frames = [frame["function"] for wait in stall["waits"] for frame in wait["stack"]["native"]]
    return stall["culprit"]["function"] == "sleep_ms" and function in frames


@pytest.mark.parametrize("status", [0, 7])
def test_target_exits(status, folder):
    with life(folder, "exit", status) as running:
        with attached(running, folder) as snooping:
            snooping.session()
            running.go()
            recording = snooping.finish()
    (gone,) = recording.of("exit")
    assert (gone["pid"], gone["status"], gone["signal"]) == (running.pid, status, None)


@pytest.mark.parametrize("hang_after", ["5s", "300ms"])
def test_target_killed_mid_stall(hang_after, folder):
    with life(folder, "freeze") as running:
        with attached(running, folder, "--hang-after", hang_after) as snooping:
            snooping.session()
            running.go()
            running.hear("frozen")
            frozen_ns = time.monotonic_ns()
            if hang_after == "300ms":
                snooping.ongoing()
            else:
                time.sleep(0.4)
            running.process.kill()
            killed_ns = time.monotonic_ns()
            recording = snooping.finish()
    (stall,) = recording.stalls()
    assert stall["truncated"] == "target_exit"
    assert stall["cause"] == "sleep"
    assert sleeps_in(stall, "block_for_an_hour")
    assert abs(stall["duration_ns"] - (killed_ns - frozen_ns)) <= 50 * MS
    (gone,) = recording.of("exit")
    assert (gone["pid"], gone["status"], gone["signal"]) == (running.pid, None, "SIGKILL")


def test_target_execs_into_another_program(folder):
    """The new program is followed like the old one; its loop is another."""
    truth = folder / "truth"
    become = [places.native("loop"), "--truth", truth, "--poll", "poll", "--wait", "nanosleep", "--count", "7"]
    with life(folder, "exec", *become) as running:
        running.truth_path = truth
        with attached(running, folder) as snooping:
            snooping.session()
            running.go()
            running.hear("ready")
            before = waiting.delay_ns(running.pid)
            running.go()
            running.hear("done")
            delay = waiting.delay_ns(running.pid) - before
            recording = snooping.stop()
        running.end()
    (became,) = recording.of("exec")
    assert became["pid"] == running.pid
    assert became["comm"] == "target_loop"
    assert [loop["poll"]["syscall"] for loop in recording.of("loop")] == ["epoll_wait", "poll"]
    match.hold(running.events(), recording, match.Expectation(run_delay_ns=delay))


def test_children_are_followed(folder):
    with life(folder, "prefork") as running:
        with attached(running, folder, "--children") as snooping:
            snooping.session()
            running.go()
            workers = [int(running.hear("worker").split()[1]) for _ in range(2)]
            running.hear("done")
            recording = snooping.stop()
    assert sorted(fork["child"] for fork in recording.of("fork")) == sorted(workers)
    assert {fork["pid"] for fork in recording.of("fork")} == {running.pid}
    for worker in workers:
        stalls = [stall for stall in recording.stalls() if stall["pid"] == worker]
        own = [stall for stall in stalls if stall["cause"] == "sleep"]
        assert len(own) == 5, [(stall["cause"], stall["duration_ns"]) for stall in stalls]
        assert all(sleeps_in(stall, "block_in_worker") for stall in own)
        assert all(200 * MS <= stall["duration_ns"] for stall in own)
    assert {gone["pid"] for gone in recording.of("exit")} >= set(workers)
    assert any(loop["pid"] == running.pid for loop in recording.of("loop"))


MASTER = """
import asyncio, os, signal, subprocess, time
async def stalls():
    while True:
        await asyncio.sleep(0.2)
        time.sleep(0.15)
async def frozen():
    time.sleep(3600)
workers = []
for work in (stalls, frozen):
    pid = os.fork()
    if pid == 0:
        asyncio.run(work())
    workers.append(pid)
helper = subprocess.Popen(["sleep", "3600"])
print("ready", *workers, helper.pid, flush=True)
signal.pause()
"""


def test_children_that_are_there_already(folder):
    """A master with its workers, as one finds them: theirs are the loops, and what waits beside them is none."""
    (folder / "master.py").write_text(MASTER, encoding="utf-8")
    with target.Target([places.SYSTEM_PYTHON, folder / "master.py"], folder) as master:
        stalling, frozen, helper = (int(word) for word in master.hear("ready").split()[1:])
        time.sleep(0.5)
        try:
            with snoop.Snoop("-p", master.pid, folder=folder) as unasked:
                workers = unasked.session()["workers"]
                unasked.stop()
            with snoop.Snoop("-p", master.pid, "--children", folder=folder) as snooping:
                snooping.wait_for(lambda record: record["type"] == "stall" and record["pid"] == stalling, "stall of the one")
                stuck = snooping.wait_for(lambda record: record["type"] == "stall" and record["phase"] == "ongoing" and record["pid"] == frozen, "hang of the other")
                time.sleep(2.5)
                recording = snooping.stop()
        finally:
            for pid in (stalling, frozen, helper):
                os.kill(pid, signal.SIGKILL)
    assert [(one["parent"], one["children"]) for one in workers] == [(master.pid, sorted((stalling, frozen)))]
    assert "not_followed" not in recording.session
    assert (stuck["cause"], stuck["culprit"]["function"]) == ("sleep", "frozen"), stuck
    assert {record["pid"] for record in recording.records if record["type"] == "stall"} == {stalling, frozen}
    parents = {life["pid"]: life["parent"] for life in recording.summary["processes"]}
    assert parents == {master.pid: None, stalling: master.pid, frozen: master.pid, helper: master.pid}


def test_children_are_not_followed_unasked(folder):
    with life(folder, "prefork") as running:
        with attached(running, folder) as snooping:
            snooping.session()
            running.go()
            running.hear("worker")
            running.hear("worker")
            running.hear("done")
            recording = snooping.stop()
    assert {record["pid"] for record in recording.records if "pid" in record} <= {running.pid}


def test_threads_by_the_thousand(folder):
    """A loop among threads that are made and end all the time: nothing of it is lost, none of them is taken for a loop."""
    with target.Target([places.native("light"), "churn"], folder) as running:
        with attached(running, folder) as snooping:
            snooping.session()
            before = waiting.delay_ns(running.pid)
            running.go()
            made = int(running.hear("done").split()[1])
            delay = waiting.delay_ns(running.pid) - before
            recording = snooping.stop()
    assert made > 1000
    assert [loop["tid"] for loop in recording.of("loop")] == [running.pid]
    match.hold([], recording, match.Expectation(run_delay_ns=delay))
    follow.check_nothing_lost(recording)


def test_a_thousand_threads_alive(folder):
    """The stall of a loop among a thousand sleeping threads, inspected while it runs."""
    with target.Target([places.native("light"), "crowd"], folder) as running:
        with attached(running, folder, "-d", "2s") as snooping:
            recording = snooping.finish()
    assert [loop["tid"] for loop in recording.of("loop")] == [running.pid]
    follow.check_nothing_lost(recording)


def test_pid_is_used_again(folder):
    """A process is a pid and a start time: a stranger with the pid of a target that ended is not followed."""
    other = folder / "other"
    other.mkdir()
    with life(folder, "exit", 0) as first, target.Target([places.native("light"), "healthy"], other) as second:
        first.hear("ready")
        second.hear("ready")
        with snoop.Snoop("-p", first.pid, "-p", second.pid, folder=folder) as snooping:
            snooping.session()
            first.go()
            snooping.wait_for(lambda record: record["type"] == "exit", "exit")
            first.process.wait()
            stranger = take_pid(first.pid, [places.native("light"), "beats"])
            if stranger is None:
                pytest.skip("the kernel does not give the pid again")
            try:
                os.write(stranger.stdin.fileno(), b"go\n")
                time.sleep(1.5)
                recording = snooping.stop()
            finally:
                stranger.kill()
                stranger.wait()
    assert not [stall for stall in recording.stalls() if stall["pid"] == first.pid]
    assert len([loop for loop in recording.of("loop") if loop["pid"] == first.pid]) == 1


def take_pid(pid, command):
    for _ in range(200):
        pathlib.Path("/proc/sys/kernel/ns_last_pid").write_text(str(pid - 1), encoding="ascii")
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        if process.pid == pid:
            return process
        process.kill()
        process.wait()
    return None


def run_command(folder, *arguments, command, **more):
    json = folder / "out.jsonl"
    line = [str(word) for word in (places.LOOPSNOOP, *arguments, "-j", json, "--", *command)]
    return subprocess.run(line, capture_output=True, text=True, timeout=waiting.PATIENCE_S, **more), json


@pytest.mark.parametrize("status", [0, 7])
def test_status_of_a_command_is_passed_on(status, folder):
    result, json = run_command(folder, command=["sh", "-c", f"exit {status}"])
    assert result.returncode == status, result.stderr
    recording = snoop.read_recording(json)
    assert [gone["status"] for gone in recording.of("exit")] == [status]


def test_command_keeps_its_arguments_and_streams(folder):
    result, _ = run_command(folder, "-q", command=["sh", "-c", 'cat; echo "$1"', "name", "-p"], input="through stdin\n")
    assert "through stdin\n-p\n" in result.stdout


def test_command_is_followed_from_its_first_instruction(folder):
    truth = folder / "truth"
    json = folder / "out.jsonl"
    command = [places.LOOPSNOOP, "-j", json, "--", places.native("loop"), "--truth", truth, "--poll", "epoll_wait"]
    running = target.Target([*command, "--wait", "nanosleep", "--count", "7"], folder, truth)
    with running:
        # loopsnoop's own text shares stdout with the command's.
        heard = []
        for word in ("ready", "done"):
            while not heard or heard[-1] != word:
                heard.append(running.lines.next())
                assert heard[-1] is not None, heard
            if word == "ready":
                running.go()
        assert running.end() == 0
    recording = snoop.read_recording(json)
    (loop,) = recording.of("loop")
    assert loop["start_ns"] >= recording.session["start_ns"]
    match.hold(running.events(), recording)
    assert [gone["status"] for gone in recording.of("exit")] == [0]


def test_interrupt_reaches_the_command(folder):
    """Ctrl-C of a terminal goes to its foreground process group."""
    json = folder / "out.jsonl"
    line = [str(places.LOOPSNOOP), "-j", str(json), "--", "sh", "-c", "trap 'exit 9' INT; touch $0; while :; do sleep 0.1; done", str(folder / "ready")]
    # A shell that runs these tests in the background has them ignore it, and a shell cannot trap what it was born to ignore.
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    waiting.until((folder / "ready").exists, "the command to run")
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=waiting.PATIENCE_S)
    assert process.returncode == 9
    snoop.read_recording(json)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_the_session(number, folder):
    before = kernel.objects()
    with target.Target([places.native("light"), "healthy"], folder) as running:
        with attached(running, folder) as snooping:
            snooping.session()
            recording = snooping.stop(number)
        assert waiting.state_of(running.pid) in "RS"
        assert running.end() == 0
    assert recording.summary["type"] == "summary"
    kernel.assert_nothing_left(before)


def test_loopsnoop_is_killed(folder):
    """Nothing stays in the kernel, and the target does not notice."""
    before = kernel.objects()
    with target.native_loop(folder, count=7) as running:
        with attached(running, folder) as snooping:
            snooping.session()
            assert kernel.objects() - before, "it is attached"
            running.go()
            waiting.until(running.events, "the first event")
            snooping.process.kill()
            snooping.process.wait()
            kernel.assert_nothing_left(before)
        status = waiting.proc(running.pid, "status")
        assert "TracerPid:\t0\n" in status
        running.hear("done")
        assert running.end() == 0


def test_target_is_never_traced(folder):
    with target.native_loop(folder, count=3, more=["--ms", "1200"]) as running:
        with attached(running, folder, "--hang-after", "300ms") as snooping:
            snooping.session()
            running.go()
            states = set()
            for _ in range(300):
                states.add(waiting.state_of(running.pid))
                assert "TracerPid:\t0\n" in waiting.proc(running.pid, "status")
                time.sleep(0.005)
            running.hear("done")
            snooping.stop()
        running.end()
    assert states <= {"S", "R", "D"}, "never stopped"


@pytest.mark.parametrize("json", [True, False])
def test_closed_stdout(json, folder):
    """`| head -1`: it ends by itself, and leaves nothing."""
    before = kernel.objects()
    with target.Target([places.native("light"), "beats"], folder) as running:
        running.hear("ready")
        command = [str(places.LOOPSNOOP), "-p", str(running.pid), *(["--json"] if json else [])]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        with contextlib.closing(process.stdout):
            running.go()
            assert process.stdout.readline()
        process.wait(waiting.PATIENCE_S)
        assert process.returncode in (0, -signal.SIGPIPE, 128 + signal.SIGPIPE)
        assert waiting.state_of(running.pid) in "RS"
    kernel.assert_nothing_left(before)


def test_leaves_without_waiting(folder):
    """Taking the programs off takes the kernel a second or two: Ctrl-C does not wait for that."""
    ratios = []
    with target.Target([places.native("light"), "beats"], folder) as running:
        running.hear("ready")
        for _ in range(5):
            before = kernel.objects()
            with snoop.Snoop("-p", running.pid, folder=folder) as snooping:
                snooping.session()
                asked = time.monotonic_ns()
                snooping.process.send_signal(signal.SIGINT)
                assert snooping.process.wait(waiting.PATIENCE_S) == 0
                left = time.monotonic_ns() - asked
                kernel.assert_nothing_left(before)
                ratios.append(left / (time.monotonic_ns() - asked))
    assert sorted(ratios)[-2] < 0.5, ratios


def test_target_ends_while_loopsnoop_starts(folder):
    """Whenever it happens: one line and status 1, or a whole session."""
    for delay in (0, 0.02, 0.05, 0.1, 0.2):
        with life(folder, "exit", 0) as running:
            running.hear("ready")
            with snoop.Snoop("-p", running.pid, folder=folder) as snooping:
                time.sleep(delay)
                running.process.kill()
                running.process.wait()
                if snooping.process.wait(waiting.PATIENCE_S) == 0:
                    snooping.finish()
                else:
                    assert snooping.process.returncode == 1
                    assert len(snooping.text().strip().splitlines()) == 1
