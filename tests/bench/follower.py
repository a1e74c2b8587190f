# SPDX-License-Identifier: Apache-2.0
"""Whatever follows a process while the process is measured, and what it costs itself: loopsnoop, its peers, and stand-ins."""
import json
import signal
import subprocess
import time
from dataclasses import dataclass, field

from machine import OTHER_CORE, cpu_s, family, on_core, rss_bytes, switches

ATTACH_TIMEOUT_S = 15.0
SETTLE_S = 0.3
# loopsnoop reads the target's symbols after its session record; what that costs is kept apart from what following costs.
CALM_SHARE, CALM_S, CALM_PATIENCE_S = 0.05, 0.1, 3.0
STOP_TIMEOUT_S = 10.0


@dataclass
class Cost:
    attach_s: float = 0.0  # from its start until it says that it is attached; None: it does not say
    start_cpu_s: float = 0.0  # its CPU time until it had settled
    followed_s: float = 0.0  # from then to its stop
    cpu_share: float = 0.0  # of one core, in that time
    wakeups_per_s: float = 0.0  # how often its threads went to sleep, in that time
    rss_bytes: int = 0  # resident at the stop, of its child processes, too
    stalls: int = 0  # loopsnoop's
    lost: dict = field(default_factory=dict)  # loopsnoop's kinds of loss that are not zero
    programs_share: float = None  # of BPF programs alone, see sandwich.Bench.programs_share(); None: it has none


class Follower:
    """A command that follows the process from __enter__, which returns when it is attached and has settled, to __exit__."""

    name = "?"
    about = "?"
    programs = False  # of BPF, whose account is taken
    slices = 1  # of load while it follows, see sandwich.py

    def __init__(self, command, scratch):
        self.command = on_core(OTHER_CORE, command)
        self.stdout = scratch / "follower.stdout"
        self.stderr = scratch / "follower.stderr"
        self.cost = Cost()

    def attached(self):
        """Whether it says so by now; None: it never does."""
        return None

    def last_output(self):
        return (self.stdout.read_text(errors="replace") + self.stderr.read_text(errors="replace")).strip()[-300:]

    def __enter__(self):
        started = time.monotonic()
        with self.stdout.open("wb") as stdout, self.stderr.open("wb") as stderr:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr)
        while self.attached() is False:
            waited = time.monotonic() - started
            if self.process.poll() is not None or waited > ATTACH_TIMEOUT_S:
                self.stop()
                raise RuntimeError(f"{' '.join(self.command)}: not attached after {waited:.1f} s, exit status {self.process.returncode}: {self.last_output()}")
            time.sleep(0.002)
        self.cost.attach_s = None if self.attached() is None else time.monotonic() - started
        self.settle()
        if self.process.poll() is not None:
            raise RuntimeError(f"{' '.join(self.command)}: ended at once, exit status {self.process.returncode}: {self.last_output()}")
        self.processes = family(self.process.pid)
        self.settled = time.monotonic(), self.own_cpu_s(), self.own_switches()
        self.cost.start_cpu_s = self.settled[1]
        return self

    def settle(self):
        """Returns when it has done what it does at its start."""
        time.sleep(SETTLE_S)

    def own_cpu_s(self):
        return sum(cpu_s(pid) for pid in self.processes)

    def own_switches(self):
        return sum(switches(pid) for pid in self.processes)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def __exit__(self, kind, *_):
        try:
            if kind is None and self.process.poll() is not None:
                raise RuntimeError(f"{' '.join(self.command)}: ended during the measurement, exit status {self.process.returncode}: {self.last_output()}")
            since, cpu_s, switched = self.settled
            seconds = time.monotonic() - since
            self.cost.followed_s = seconds
            self.cost.cpu_share = (self.own_cpu_s() - cpu_s) / seconds
            self.cost.wakeups_per_s = (self.own_switches() - switched) / seconds
            self.cost.rss_bytes = sum(rss_bytes(pid) for pid in self.processes)
        finally:
            self.stop()
        self.read_output()

    def read_output(self):
        """After its end."""


class Nobody:
    """The control: bare, where a follower would be."""

    name, about = "control", "nobody: bare against bare"
    programs = False
    slices = 2

    def __init__(self, _pid, _scratch):
        self.cost = None

    def __enter__(self):
        time.sleep(SETTLE_S)
        return self

    def __exit__(self, *_):
        pass


class StandIn(Follower):
    """Does nothing, on the core that loopsnoop would be on, and wakes up as often as loopsnoop does."""

    name, about = "stand-in", "a process that only wakes up 50 times a second"
    slices = 2

    def __init__(self, _pid, scratch):
        super().__init__(["/usr/bin/perl", "-e", "while (1) { select(undef, undef, undef, 0.02) }"], scratch)


class Loopsnoop(Follower):
    name, about = "loopsnoop", "loopsnoop"
    programs = True
    slices = 3
    binary = None  # set once, by the options
    more = ()  # options besides

    def __init__(self, pid, scratch):
        self.recording = scratch / "follow.jsonl"
        self.recording.unlink(missing_ok=True)
        super().__init__([self.binary, "-q", "-p", str(pid), "--json", str(self.recording), *self.more], scratch)

    def attached(self):
        try:
            return b"\n" in self.recording.read_bytes()[:65536]
        except FileNotFoundError:
            return False

    def settle(self):
        until, before = time.monotonic() + CALM_PATIENCE_S, 0.0
        while time.monotonic() < until and self.process.poll() is None:
            now = cpu_s(self.process.pid)
            if before and now - before < CALM_SHARE * CALM_S:
                return
            before = now
            time.sleep(CALM_S)

    def read_output(self):
        records = [json.loads(line) for line in self.recording.read_text().splitlines()]
        lost = next((record["lost"] for record in records if record["type"] == "summary"), {})
        self.cost.stalls = sum(record["type"] == "stall" and record["phase"] == "ended" for record in records)
        self.cost.lost = {name: count for name, count in lost.items() if count}
