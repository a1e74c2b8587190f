# SPDX-License-Identifier: Apache-2.0
"""As the thing that runs all the time: it keeps no right that it does not need, whoever connects to it disturbs nothing, and what it
says on its port is what the contract names, and no more."""

import contextlib
import os
import re
import socket
import subprocess
import threading
import time
import urllib.request

from harness import cgroup, match, places, servers, snoop, target, waiting
from harness.prometheus import check_with_promtool, scrape

SERVICE = places.ROOT / "scripts" / "packaging" / "loopsnoop.service"
# Order of include/uapi/linux/capability.h.
CAPABILITIES = {"DAC_READ_SEARCH": 2, "KILL": 5, "SYS_PTRACE": 19, "SYS_ADMIN": 21, "SYS_NICE": 23, "SYSLOG": 34, "PERFMON": 38, "BPF": 39}
CLIENTS = 200


def rights(pid, tid, which):
    line = next(line for line in waiting.proc(pid, "status", tid).splitlines() if line.startswith(which))
    return int(line.split()[1], 16)


def mask(names):
    return sum(1 << CAPABILITIES[name] for name in names)


def check_rights(pid, allowed):
    threads = {int(tid): waiting.proc(pid, "comm", tid).strip() for tid in os.listdir(f"/proc/{pid}/task")}
    assert len(threads) > 2 and pid in threads
    for tid, name in threads.items():
        may = allowed if tid == pid else {"PERFMON", "BPF"} if name == "loopsnoop-watch" else set()
        for which in ("CapEff", "CapPrm", "CapInh", "CapAmb"):
            assert rights(pid, tid, which) & ~mask(may) == 0, f"{name} {which}: {rights(pid, tid, which):x}"
    assert rights(pid, pid, "CapEff") == mask(allowed) & rights(os.getpid(), os.getpid(), "CapEff"), "what it needs later is there"


def test_capabilities_are_given_up(folder):
    """As root: once it has attached it has those that its service may have, and the threads that serve have none."""
    wanted = {name.removeprefix("CAP_") for name in re.search(r"^CapabilityBoundingSet=(.*)$", SERVICE.read_text(), re.MULTILINE)[1].split()}
    port = servers.free_port()
    with target.Target([places.native("light"), "healthy"], folder) as light:
        light.hear("ready")
        with snoop.Snoop("--all", "--listen", port, folder=folder) as snooping:
            snooping.session()
            snooping.wait_for(lambda record: record["type"] == "loop" and record["pid"] == light.pid, "loop")
            waiting.until(lambda: "loopsnoop-http" in str([waiting.proc(snooping.process.pid, "comm", tid) for tid in os.listdir(f"/proc/{snooping.process.pid}/task")]), "threads")
            check_rights(snooping.process.pid, wanted)
            snooping.stop()


def test_no_other_program_can_be_run(folder):
    """As root, by hand: no privilege is gained by a program, none can be run, and no root would regain what was given up."""
    port = servers.free_port()
    with target.Target([places.native("light"), "healthy"], folder) as light:
        light.hear("ready")
        with snoop.Snoop("-p", light.pid, "--listen", port, folder=folder) as snooping:
            snooping.session()
            pid = snooping.process.pid
            waiting.until(lambda: rights(pid, pid, "Seccomp:") == 2, "the filter")
            for tid in os.listdir(f"/proc/{pid}/task"):
                assert rights(pid, tid, "NoNewPrivs:") == 1 and rights(pid, tid, "Seccomp:") == 2, waiting.proc(pid, "comm", tid)
            assert rights(pid, pid, "CapBnd") == 0
            snooping.stop()


def test_a_command_may_become_another_user(folder):
    """The right to pass signals on is kept for it, and only for it."""
    with snoop.Snoop("--", "runuser", "-u", "nobody", "--", "sleep", "3", folder=folder) as snooping:
        snooping.session()
        waiting.until(lambda: rights(snooping.process.pid, snooping.process.pid, "CapEff") < 1 << 40, "capabilities to be given up")
        assert rights(snooping.process.pid, snooping.process.pid, "CapEff") & mask({"KILL"})
        snooping.finish()


class RudeClients:
    """Two hundred of them: some say nothing, some a byte now and then, some never read, some send garbage or a header of a MiB."""

    BEGINNINGS = (
        b"",
        b"GET /metrics HTTP/1.1\r\nX: ",
        b"\x00\xff\x16\x03\x01" * 5000,
        b"GET / HTTP/1.1\r\nX-Huge: " + b"x" * (1 << 20) + b"\r\n\r\n",
        b"POST /metrics HTTP/1.1\r\nContent-Length: 99999999\r\n\r\nx",
        b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 20,
        b"GET /../../etc/passwd HTTP/1.1\r\n\r\n",
        b"\r\n" * 100,
    )

    def __init__(self, port):
        self.port = port
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.connected = threading.Event()

    def __enter__(self):
        self.thread.start()
        assert self.connected.wait(waiting.PATIENCE_S)
        return self

    def __exit__(self, *_about):
        self.stop.set()
        self.thread.join()

    def _run(self):
        with contextlib.ExitStack() as open_ones:
            slow = []
            for number in range(CLIENTS):
                with contextlib.suppress(OSError):
                    client = open_ones.enter_context(socket.create_connection(("127.0.0.1", self.port), timeout=1))
                    client.setblocking(False)
                    slow.append(client)
                    client.send(self.BEGINNINGS[number % len(self.BEGINNINGS)])
            self.connected.set()
            while not self.stop.wait(0.3):
                for client in slow:
                    with contextlib.suppress(OSError):
                        client.send(b"a")


def served(port):
    with contextlib.suppress(OSError):
        return scrape(port)
    return None


def test_clients_that_misbehave(folder):
    """Slow, broken, huge and many: every stall is found, and honest clients are served, then and afterwards."""
    port = servers.free_port()
    loop = target.native_loop(folder, wait="recv", count=11)
    with loop:
        loop.hear("ready")
        with snoop.Snoop("-p", loop.pid, "--listen", f"127.0.0.1:{port}", folder=folder) as snooping:
            snooping.session()
            with RudeClients(port):
                before = waiting.delay_ns(loop.pid)
                loop.go()
                loop.hear("done")
                delay = waiting.delay_ns(loop.pid) - before
                during = waiting.until(lambda: served(port), "an honest client to be served among them", patience=90)
            after = waiting.until(lambda: served(port), "an honest client to be served after them")
            assert "loopsnoop_stalls_total" in during and "loopsnoop_stalls_total" in after
            assert len(os.listdir(f"/proc/{snooping.process.pid}/task")) < 64
            recording = snooping.stop()
        loop.end()
    match.hold(loop.events(), recording, match.Expectation(run_delay_ns=delay))
    assert recording.stalls()


def test_nothing_leaks_to_the_port(folder):
    """Arguments, environment, paths of descriptors, stacks and addresses of a process stay out; the culprit's line is in."""
    port = servers.free_port()
    secret = "hunter2xyzzy"
    peer = servers.free_port()
    script = folder / "app.py"
    script.write_text(
        "import asyncio, pathlib, socket, sys, time\n"
        f"listener = socket.create_server(('127.0.0.1', {peer}))\n"
        f"client = socket.create_connection(('127.0.0.1', {peer}))\n"
        "client.settimeout(0.3)\n"
        f"kept = open({str(folder / (secret + '.txt'))!r}, 'w')\n"
        "def block():\n"
        "    try:\n"
        "        client.recv(1)\n"
        "    except TimeoutError:\n"
        "        pass\n"
        "    kept.write('x'), kept.flush()\n"
        "async def main():\n"
        "    print('ready', flush=True)\n"
        "    while True:\n"
        "        await asyncio.sleep(0.05)\n"
        "        block()\n"
        "asyncio.run(main())\n",
        encoding="utf-8",
    )
    environment = {**os.environ, "PASSWORD": secret, "PYTHONDONTWRITEBYTECODE": "1"}
    with cgroup.private() as group, subprocess.Popen(
        [places.SYSTEM_PYTHON, str(script), f"--password={secret}"], env=environment, stdout=subprocess.PIPE, text=True
    ) as app:
        assert app.stdout.readline() == "ready\n"
        group.add(app.pid)
        with snoop.Snoop("--cgroup", group.path, "--listen", port, "--hang-after", "150ms", folder=folder) as snooping:
            snooping.wait_for(lambda record: record["type"] == "stall" and record["phase"] == "ended" and record["culprit"], "stall")
            time.sleep(1)
            text = scrape(port)
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=waiting.PATIENCE_S) as answer:
                page = answer.read().decode()
            recording = snooping.stop()
        app.kill()
    check_with_promtool(text)
    assert 'function="block"' in text and "block" in page
    said = str(recording.records)
    assert f"127.0.0.1:{peer}" in said or str(peer) in said, "the records themselves say whom it waits for"
    for where in (text, page):
        assert secret not in where
        assert str(peer) not in re.sub(r"\b\d+\.\d+\b", "", where), "the peer's port"
        assert "recv" not in where and "asyncio" not in where and "0x" not in where
    names = {label for line in text.splitlines() if line.startswith("loopsnoop_loop") for label in re.findall(r'([a-z_]+)="', line)}
    assert names <= {"pid", "comm", "tid", "container", "unit", "service", "cause", "function", "file", "line", "le"}, names
