# SPDX-License-Identifier: Apache-2.0
"""Targets in namespaces and root directories of their own: symbols, lines, paths, threads and customers are found all the same."""

import contextlib
import pathlib
import shutil
import subprocess

import pytest

from harness import follow, places, snoop, target, waiting
from harness.standing import Standing


class Inside(target.Target):
    """A target whose own idea of its thread ids is not ours."""

    def pid_out_here(self):
        """Of the one child of `unshare`."""
        return int(waiting.until(lambda: waiting.proc(self.pid, "children", self.pid).split(), "the child of unshare")[0])

    def truth(self):
        threads = {}
        if self.outer is not None:
            for path in pathlib.Path("/proc", str(self.outer), "task").glob("*"):
                status = dict(line.split(":", 1) for line in waiting.proc(self.outer, "status", path.name).splitlines())
                threads[int(status["NSpid"].split()[-1])] = int(path.name)
            self.known.update(threads)
        records = super().truth()
        for record in records:
            record["tid"] = self.known.get(record["tid"], record["tid"])
        return records

    outer = None

    def __enter__(self):
        self.known = {}
        return super().__enter__()

    def find(self):
        self.outer = self.pid_out_here()
        self.truth()
        return self.outer


def follow_inside(inside, folder, **more):
    return follow.follow(inside, folder, pid_of=lambda running: running.find(), **more)


@pytest.mark.parametrize("wait", ["recv", "mutex", "fifo_read", "waitpid"])
def test_pid_and_mount_namespace(wait, folder):
    """The binary lies in a file system that only the target sees."""
    truth = folder / "truth"
    start = (
        f"mount -t tmpfs none /mnt && cp {places.native('loop')} /mnt/hidden_loop && "
        f"exec /mnt/hidden_loop --truth {truth} --poll epoll_wait --wait {wait} --count 7"
    )
    inside = Inside(["unshare", "-pmf", "--mount-proc", "sh", "-c", start], folder, truth)
    if wait in ("recv", "waitpid", "mutex"):
        # Ids of processes and threads in the truth are those of its namespace.
        inside.events = lambda: [without_ids(event) for event in target.Target.events(inside)]
    recording = follow_inside(inside, folder)
    assert recording.stalls()
    for stall in recording.stalls():
        modules = {frame["module"] for wait in stall["waits"] for frame in wait["stack"]["native"]}
        assert "/mnt/hidden_loop" in modules, "paths are as the target sees them"


def without_ids(event):
    resource = event["resource"] or {}
    for name in ("holder", "pid"):
        resource.pop(name, None)
    if resource.get("peer"):
        resource["peer"].pop("pid")
    return event


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_python_in_a_pid_namespace(loop, folder):
    truth = folder / "truth"
    script = places.PYTHON_TARGETS / "loop_target.py"
    command = ["unshare", "-pmf", "--mount-proc", places.SYSTEM_PYTHON, script, "--truth", truth, "--scratch", folder]
    command += ["--wait", "fifo_read", "--loop", loop, "--count", 7]
    follow_inside(Inside(command, folder, truth), folder, python=True)


def libraries_of(program):
    """Paths of the shared libraries and the loader."""
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    return [word for line in listed.splitlines() for word in line.split() if word.startswith("/")]


def test_chroot(folder):
    root = folder / "root"
    program = places.native("loop")
    for path in libraries_of(program):
        place = root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place)
    (root / "opt").mkdir()
    (root / "var").mkdir()
    shutil.copy(program, root / "opt/loop_in_chroot")
    command = ["chroot", root, "/opt/loop_in_chroot", "--truth", "/var/truth", "--poll", "epoll_wait", "--wait", "fifo_read"]
    recording = follow.follow(target.Target([*command, "--count", 7], folder, root / "var/truth"), folder)
    for stall in recording.stalls():
        assert stall["waits"][0]["resource"]["path"].startswith("/var/truth"), "as the target sees it"


FREEZES = """
import asyncio, time
async def main():
    await asyncio.sleep(0.5)
    time.sleep(1)
asyncio.run(main())
"""


def test_loopsnoop_in_a_pid_namespace(folder):
    """It and what it follows have ids of their own there, as in a container without the host's."""
    recorded = folder / "recorded"
    command = ["unshare", "-pmf", "--mount-proc", places.LOOPSNOOP, "-q", "--hang-after", "300ms", "-j", recorded, "--", places.SYSTEM_PYTHON, "-c", FREEZES]
    done = subprocess.run(command, capture_output=True, text=True, timeout=waiting.PATIENCE_S)
    assert done.returncode == 0, done.stderr
    recording = snoop.read_recording(recorded)
    (stall,) = recording.stalls()
    assert stall["pid"] < 10 and stall["comm"] == "python3" and stall["cause"] == "sleep", stall
    assert stall["waits"][0]["syscall"] == "clock_nanosleep" and stall["duration_ns"] >= 900_000_000
    assert recording.stalls("ongoing")


CUSTOMERS = """
import socket, sys
kept = [socket.create_connection(("127.0.0.1", int(sys.argv[1]))) for _ in range(int(sys.argv[2]))]
for each in kept:
    each.sendall(b"GET / HTTP/1.1\\r\\nHost: shop.example\\r\\nUser-Agent: test\\r\\n\\r\\n")
print("asked", flush=True)
sys.stdin.read()
"""


class Contained(Standing):
    """In a network, pid and mount namespace of its own, as in a container; so are its customers."""

    def __init__(self, folder, mode):
        folder.mkdir()
        inside = ["unshare", "-npmf", "--kill-child", "--mount-proc", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
        super().__init__(folder, mode, command=(*inside, places.SYSTEM_PYTHON))

    def started(self):
        super().started()
        (self.pid,) = map(int, waiting.proc(self.process.pid, "children", self.process.pid).split())

    @contextlib.contextmanager
    def customers(self, count):
        enter = ["nsenter", "-t", str(self.pid), "-n", places.SYSTEM_PYTHON, "-c", CUSTOMERS, str(self.port), str(count)]
        customers = subprocess.Popen(enter, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            assert customers.stdout.readline() == "asked\n"
            yield
        finally:
            customers.kill()
            customers.communicate()


@pytest.mark.parametrize("whole_host", [False, True], ids=["named", "all"])
def test_customers_of_containers(whole_host, folder):
    """Each has a loopback of its own, with ports that others have, too: each loop has its own customers."""
    with contextlib.ExitStack() as stack:
        (folder / "outside").mkdir()
        outside = stack.enter_context(Standing(folder / "outside", "lock"))
        stuck = stack.enter_context(Contained(folder / "stuck", "lock"))
        queued = stack.enter_context(Contained(folder / "queued", "not_accepted"))
        targets = (outside, stuck, queued)
        named = ("-p", ",".join(str(each.pid) for each in targets))
        snooping = stack.enter_context(snoop.Snoop(*(("--all",) if whole_host else named), "--stuck-after", "2s", folder=folder))
        snooping.session()
        for each in targets:
            snooping.wait_for(lambda record, pid=each.pid: record["type"] == "loop" and record["pid"] == pid, f"loop of {each.pid}")
        outside.ask(times=2)
        stack.enter_context(stuck.customers(3))
        stack.enter_context(queued.customers(4))
        found = {}
        for each in targets:
            found[each] = snooping.wait_for(
                lambda record, pid=each.pid: record["type"] == "standstill" and record["pid"] == pid, f"standstill of {each.pid}"
            )
        (peer,) = map(int, waiting.proc(stuck.pid, "children", stuck.pid).split())
        snooping.stop()
    kinds = [(each["kind"], each["clients"]["unanswered"], each["clients"]["not_accepted"]) for each in found.values()]
    assert kinds == [("no_answer", 2, 0), ("no_answer", 3, 0), ("not_accepted", 0, 4)]
    for each in (outside, stuck):
        assert found[each]["culprit"]["line"] == each.truth["at"]["line"], found[each]["culprit"]
        (upstream,) = found[each]["upstream"]
        assert upstream["remote"] == f"127.0.0.1:{each.truth['peer']}"
    assert found[stuck]["upstream"][0]["peer"]["pid"] == peer
