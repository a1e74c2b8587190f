# SPDX-License-Identifier: Apache-2.0
"""A loopsnoop that follows a process while the process is measured, and what it costs itself."""
import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from workloads import OTHER_CORE, on_core

ATTACH_TIMEOUT_S = 10.0
SETTLE_S = 1.0  # it reads the target's symbols after its session record; what that costs is told apart from what following costs
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Cost:
    attach_s: float  # from its start to its session record
    start_cpu_s: float  # its CPU time until it had settled
    cpu_share: float  # of one core, from then to its stop
    rss_bytes: int  # resident at the stop
    stalls: int
    lost: dict  # kinds of loss that are not zero


def cpu_s(pid):
    """User and system time of all threads of the process so far, from the scheduler's own account in ns."""
    total = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/schedstat") as schedstat:
            total += int(schedstat.read().split()[0])
    return total / 1e9


def own_cpu_s(pid):
    """utime + stime, ended threads included; the kernel counts them in ticks."""
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_S


def _name(path):
    try:
        # A zombie has nothing left but its name.
        return "" if "State:\tZ" in (path.parent / "status").read_text() else path.read_text().strip()
    except OSError:
        return ""


def rss_bytes(pid):
    with open(f"/proc/{pid}/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE")


class Follower:
    """loopsnoop -p PID --json FILE from __enter__, which returns when it has settled after its session record, to __exit__."""

    def __init__(self, binary, pid, scratch):
        self.command = on_core(OTHER_CORE, [binary, "-q", "-p", str(pid), "--json", str(scratch / "follow.jsonl")])
        self.recording = scratch / "follow.jsonl"
        self.stderr = scratch / "follow.stderr"
        self.cost = None

    def __enter__(self):
        self.recording.unlink(missing_ok=True)
        started = time.monotonic()
        with self.stderr.open("wb") as stderr:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr)
        while not self._has_session():
            waited = time.monotonic() - started
            if self.process.poll() is not None or waited > ATTACH_TIMEOUT_S:
                self._stop()
                raise RuntimeError(f"{' '.join(self.command)}: no session record after {waited:.1f} s, exit status "
                                   f"{self.process.returncode}: {self.stderr.read_text().strip()[-300:]}")
            time.sleep(0.002)
        self.attach_s = time.monotonic() - started
        time.sleep(SETTLE_S)
        self.following_since = time.monotonic()
        self.start_cpu_s = own_cpu_s(self.process.pid)
        return self

    def _has_session(self):
        try:
            return b"\n" in self.recording.read_bytes()[:65536]
        except FileNotFoundError:
            return False

    def _stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    @staticmethod
    def _wait_for_the_kernel():
        """A process that loopsnoop leaves behind takes its programs off for two seconds more."""
        until = time.monotonic() + 20
        while any(_name(path) == "loopsnoop-leave" for path in Path("/proc").glob("[0-9]*/comm")):
            if time.monotonic() > until:
                raise RuntimeError("a loopsnoop does not leave the kernel")
            time.sleep(0.05)

    def __exit__(self, kind, *_):
        if kind is None and self.process.poll() is not None:
            raise RuntimeError(f"loopsnoop ended during the measurement, exit status {self.process.returncode}: "
                               f"{self.stderr.read_text().strip()[-300:]}")
        try:
            share = (own_cpu_s(self.process.pid) - self.start_cpu_s) / (time.monotonic() - self.following_since)
            rss = rss_bytes(self.process.pid)
        finally:
            self._stop()
            self._wait_for_the_kernel()
        records = [json.loads(line) for line in self.recording.read_text().splitlines()]
        lost = next((record["lost"] for record in records if record["type"] == "summary"), {})
        self.cost = Cost(self.attach_s, self.start_cpu_s, share, rss, sum(record["type"] == "stall" and record["phase"] == "ended" for record in records),
                         {name: count for name, count in lost.items() if count})
