# SPDX-License-Identifier: Apache-2.0
"""A whole host is watched: loops are found as processes come and go, and nothing else is."""

import json
import os
import subprocess
import time

import pytest

from harness import cgroup, freeze, match, places, prometheus, servers, snoop, target, waiting

LIGHT = [places.native("light"), "healthy"]
CENSUS_S = 5


def loop_of(pid):
    return lambda record: record["type"] == "loop" and record["pid"] == pid


def stalls_of(records, pid):
    return [record for record in records if record["type"] == "stall" and record["pid"] == pid]


def wait_until_seen(snooping, since=0):
    """Two censuses: whoever is to be found has been."""
    time.sleep(max(0.0, 2 * CENSUS_S + 1 - since))
    assert not snooping.ended, snooping.text()


def test_loops_of_the_host(folder):
    """One that sleeps since before, one that starts later, each as it is; their stalls; and the others are left alone."""
    early, late = folder / "early", folder / "late"
    early.mkdir()
    late.mkdir()
    with target.Target([places.native("light"), "idle"], folder) as idle, target.native_loop(early, wait="recv", count=7) as before:
        idle.hear("ready")
        before.hear("ready")
        with snoop.Snoop("--all", folder=folder) as snooping:
            assert snooping.session()["discovery"] is True
            assert loop_of(idle.pid)(snooping.wait_for(loop_of(idle.pid), "idle loop"))
            snooping.wait_for(loop_of(before.pid), "loop that was there")
            before.go()
            with target.python_loop(late, count=7) as after:
                after.hear("ready")
                found = snooping.wait_for(loop_of(after.pid), "loop that came later")
                assert found["runtime"]["name"] == "cpython" and found["poll"]["syscall"].startswith("epoll")
                after.go()
                after.hear("done")
                before.hear("done")
                after.end()
                snooping.wait_for(lambda record: record["type"] == "exit" and record["pid"] == after.pid, "exit")
            recording = snooping.stop()
        before.end()
        idle.end()
    for each, python in ((before, False), (after, True)):
        own = snoop.Recording([record for record in recording.records if record.get("pid", each.pid) == each.pid])
        assert not [stall for stall in own.stalls() if stall.get("no_loop_yet")]
        match.hold(each.events(), own, match.Expectation(python=python, check_stacks=False, run_delay_ns=10**12))
    assert not stalls_of(recording.records, idle.pid)


def test_what_is_no_loop(folder):
    """Shells, jobs, a pool, a Go program, loopsnoop: not one of them is a loop, however long they hang or compute."""
    port = servers.free_port()
    rules = folder / "none.yml"
    rules.write_text("groups: []\n", encoding="utf-8")
    (folder / "second").mkdir()
    turns = [places.SYSTEM_PYTHON, places.PYTHON_TARGETS / "takes_turns.py"]
    once = "import select, time; queue = select.epoll(); queue.poll(0.01); time.sleep(1000)"
    jobs = [
        ["sh", "-c", "sleep 1000; true"],
        [places.SYSTEM_PYTHON, "-c", "import asyncio, time; time.sleep(1000)"],
        [places.SYSTEM_PYTHON, "-c", once],
        [places.native("spinner")],
    ]
    with cgroup.private() as group, snoop.Snoop("--cgroup", group.path, "-T", "50ms", folder=folder) as snooping:
        snooping.session()
        with snoop.Snoop("--all", folder=folder / "second") as second:
            running = [subprocess.Popen([str(word) for word in job], stdout=subprocess.DEVNULL) for job in jobs]
            group.add(second.process.pid)
            for each in running:
                group.add(each.pid)
            with target.Target(turns, folder) as pool, prometheus.Prometheus(folder, rules, port) as prom:
                group.add(pool.pid)
                group.add(prom.process.pid)
                pool.hear("ready")
                pool.go()
                pool.hear("gone")
                begun = time.monotonic()
                with target.Target(LIGHT, folder) as light:
                    group.add(light.pid)
                    snooping.wait_for(loop_of(light.pid), "the one that is a loop")
                wait_until_seen(snooping, time.monotonic() - begun)
            second.stop()
        for each in running:
            each.kill()
            each.wait()
        recording = snooping.stop()
    # A thread of the pool may pass for a loop until a second one comes by.
    others = {record["pid"] for record in recording.of("loop")} - {light.pid, pool.pid}
    assert not others, f"taken for loops: {others} of {[each.args for each in running]}, {prom.process.pid}"
    assert not [stall for stall in recording.stalls() if stall["pid"] != light.pid]


def test_frozen_before(folder):
    with target.python_loop(folder, wait="lock_held_by_thread", count=1, more=["--freeze"]) as frozen:
        about = freeze.freeze(frozen)
        with snoop.Snoop("--all", folder=folder) as snooping:
            stall = snooping.wait_for(lambda record: record["type"] == "stall" and record["pid"] == frozen.pid, "stall of the frozen loop")
            assert stall["truncated"] == "before_attach" and stall["phase"] == "ongoing"
            freeze.check(about, stall, True)
            snooping.stop()


GLIB = """
import os, time
from gi.repository import GLib
main = GLib.MainLoop()
def word(_fd, _events):
    said = os.read(0, 16)
    if said == b"go\\n":
        time.sleep(0.4)
        print("done", flush=True)
    else:
        main.quit()
    return True
GLib.unix_fd_add_full(GLib.PRIORITY_DEFAULT, 0, GLib.IOCondition.IN | GLib.IOCondition.HUP, word)
print("ready", flush=True)
main.run()
"""


def test_idle_in_the_poll_call_of_a_library(folder):
    """A daemon on GLib sleeps in poll() for hours: that is its own poll call, not one that it froze in; and its stalls are found."""
    (folder / "daemon.py").write_text(GLIB, encoding="utf-8")
    with target.Target([places.SYSTEM_PYTHON, folder / "daemon.py"], folder) as daemon:
        daemon.hear("ready")
        time.sleep(1.5)  # no command that waits for a moment
        with snoop.Snoop("--all", folder=folder) as snooping:
            found = snooping.wait_for(loop_of(daemon.pid), "loop")
            assert found["poll"]["syscall"] == "poll", found
            time.sleep(2.5)
            daemon.go()
            daemon.hear("done")
            stall = snooping.wait_for(lambda record: record["type"] == "stall" and record["pid"] == daemon.pid, "stall")
            recording = snooping.stop()
        daemon.end()
    assert stall["cause"] == "sleep" and stall["culprit"]["function"] == "word", stall
    assert len(stalls_of(recording.records, daemon.pid)) == 1


def test_name_and_cgroup_narrow(folder):
    """Only what fulfils both; a process named with -p besides; a cgroup below counts."""
    for name in ("a", "b", "c", "d"):
        (folder / name).mkdir()
    with cgroup.private() as group:
        inner = group.below("pod")
        with (
            target.Target(LIGHT, folder / "a") as wanted,
            target.Target(LIGHT, folder / "b") as elsewhere,
            target.native_loop(folder / "c") as other_name,
            target.native_loop(folder / "d") as named,
        ):
            for each in (wanted, elsewhere, other_name, named):
                each.hear("ready")
            inner.add(wanted.pid)
            group.add(other_name.pid)
            with snoop.Snoop("--comm", "^target_l[i]ght$", "--comm", "nobody", "--cgroup", group.path, "-p", named.pid, folder=folder) as snooping:
                snooping.wait_for(loop_of(wanted.pid), "the one in the cgroup")
                snooping.wait_for(loop_of(named.pid), "the one given by -p")
                (folder / "e").mkdir()
                with target.Target(LIGHT, folder / "e") as late:
                    inner.add(late.pid)
                    snooping.wait_for(loop_of(late.pid), "the one that came later")
                    recording = snooping.stop()
    assert {record["pid"] for record in recording.of("loop")} == {wanted.pid, named.pid, late.pid}


def test_container_and_unit(folder):
    """Read from the cgroup, in the records and as labels of the metrics."""
    container = "0123456789abcdef" * 4
    port = servers.free_port()
    (folder / "other").mkdir()
    with (
        cgroup.private(f"docker-{container}.scope") as docker,
        cgroup.private(f"loopsnoop-test-{os.getpid()}.service") as unit,
        target.Target(LIGHT, folder) as in_container,
        target.Target(LIGHT, folder / "other") as in_unit,
    ):
        for each, group in ((in_container, docker), (in_unit, unit)):
            each.hear("ready")
            group.add(each.pid)
        with snoop.Snoop("--cgroup", docker.path, "--cgroup", unit.path, "--listen", port, folder=folder) as snooping:
            first = snooping.wait_for(loop_of(in_container.pid), "loop in the container")
            second = snooping.wait_for(loop_of(in_unit.pid), "loop in the unit")
            # The metrics are as of the last tick, up to 50 ms ago.
            of_both = [f'pid="{each.pid}"' for each in (in_container, in_unit)]
            text = waiting.until(lambda: next((text for text in [prometheus.scrape(port)] if all(one in text for one in of_both)), None), "a scrape of both")
            snooping.stop()
    assert first["container"] == container and "unit" not in first
    assert second["unit"] == unit.folder.name and "container" not in second
    lines = [line for line in text.splitlines() if line.startswith("loopsnoop_loop_iterations_total{")]
    assert any(f'pid="{in_container.pid}"' in line and f'container="{container}"' in line and "unit=" not in line for line in lines), lines
    assert any(f'pid="{in_unit.pid}"' in line and f'unit="{unit.folder.name}"' in line and "container=" not in line for line in lines), lines
    prometheus.check_with_promtool(text)


def test_exec_ends_it(folder):
    """A program that a found process becomes is judged anew; and so is a child that it forks."""
    (folder / "other").mkdir()
    shell = "import os, select; q = select.epoll(); [q.poll(0.01) for _ in range(50)]; print('ready', flush=True); q.poll(0.5); os.execvp('sleep', ['sleep', '1000'])"
    with cgroup.private() as group, snoop.Snoop("--cgroup", group.path, folder=folder) as snooping:
        snooping.session()
        starter = ["sh", "-c", f'echo $$ > {group.folder}/cgroup.procs; exec "$@"', "sh", places.SYSTEM_PYTHON, "-c", shell]
        with target.Target(starter, folder) as changes:
            changes.hear("ready")
            snooping.wait_for(loop_of(changes.pid), "the loop")
            snooping.wait_for(lambda record: record["type"] == "exec" and record["pid"] == changes.pid, "exec")
            wait_until_seen(snooping)
        recording = snooping.stop()
    assert not [stall for stall in recording.stalls() if stall["cause"] == "sleep"], "sleep(1) was taken for a stuck loop"


@pytest.mark.parametrize(
    "arguments, status, wanted",
    [
        (("--comm", "[a"), 2, "--comm: cannot read the regular expression ('[a'); Unmatched ["),
        (("--cgroup", "/no/such/slice"), 1, "cannot follow the cgroup (/no/such/slice): No such file or directory; see systemd-cgls"),
        (("--all", "--", "true"), 2, "--all and -- COMMAND exclude each other"),
        (("--all", "-p", "999999999"), 2, "--pid: '999999999'"),
        (("--all", "--max-loops", "0"), 2, "--max-loops: '0' is not a number from 1 to 4096"),
    ],
)
def test_wrong(arguments, status, wanted):
    done = snoop.run_plain(*arguments)
    assert done.returncode == status, done
    assert wanted in done.stderr and done.stderr.count("\n") == 1, done.stderr


def test_nothing_to_find(folder):
    """Goes on until its time is over, and says that there was nothing."""
    with cgroup.private() as group:
        done = snoop.run_plain("--cgroup", group.path, "-d", "1s")
        assert done.returncode == 0 and "no event loop was seen" in done.stdout, done.stdout
        recorded = snoop.run_plain("--cgroup", group.path, "-d", "1s", "-q", "-j", folder / "out")
        assert recorded.returncode == 0
    assert json.loads((folder / "out").read_text().splitlines()[-1])["loops"] == []


def test_reads_well(folder):
    """For people: who it is about stands before each stall; processes that come and go take no line each."""
    with cgroup.private() as group:
        running = [target.Target(LIGHT, folder) for _ in range(3)]
        with running[0], running[1], running[2]:
            for each in running:
                each.hear("ready")
                group.add(each.pid)
            done = snoop.run_plain("--cgroup", group.path, "-d", "3s")
    lines = done.stdout.splitlines()
    assert any(line.endswith("following 3 loops: target_light ×3") for line in lines), done.stdout
    assert not any("following target_light" in line for line in lines)
    assert sum(line.startswith("  loop of target_light pid") or line.startswith("  loop pid") for line in lines) == 3, done.stdout
