# SPDX-License-Identifier: Apache-2.0
"""Other programs in loopsnoop's place, each from a Debian package: those that yield stacks of what a thread waits in, those that people
reach for first, and the floor: BPF programs that do nothing, on loopsnoop's hooks."""
import shutil
import subprocess

from follower import Follower
from machine import first_line
from workloads import HERE, PROGRAMS

# perf and bpftrace want tracefs, which need not be mounted here: it is, for them alone, in a mount namespace of their own.
WITH_TRACEFS = ["unshare", "-m", "--propagation", "private", "sh", "-c",
                'for fs in tracefs:/sys/kernel/tracing debugfs:/sys/kernel/debug; do mount -t "${fs%%:*}" none "${fs#*:}" 2>/dev/null; done; exec "$@"', "peer"]


class Peer(Follower):
    program = "?"
    version = ("--version",)
    package = "?"
    stacks = False  # whether it says in what user stack a thread waited
    heavy = False  # costs so much that few rounds show it
    ready = None  # what it prints once it is attached

    def __init__(self, pid, scratch):
        super().__init__([*WITH_TRACEFS, *self.arguments(pid, scratch)], scratch)

    def arguments(self, pid, scratch):
        raise NotImplementedError

    def attached(self):
        if self.ready is None:
            return None
        return self.ready in self.stdout.read_text(errors="replace") + self.stderr.read_text(errors="replace")

    @classmethod
    def why_not(cls):
        """One line; None when it can be run."""
        return None if shutil.which(cls.program) else f"not installed (package {cls.package})"

    @classmethod
    def what(cls):
        return first_line([cls.program, *cls.version])


class Floor(Peer):
    name, about = "empty", "empty BPF programs on loopsnoop's hooks"
    programs = True
    slices = 2
    program = str(PROGRAMS / "events" / "bench_floor")
    package = "none: it is built here"
    ready = "ready"

    def arguments(self, pid, scratch):
        return [self.program]

    @classmethod
    def what(cls):
        return None


class OffCpuTime(Peer):
    name, about = "offcputime", "libbpf-tools offcputime -p"
    program, package, stacks, programs = "/usr/sbin/offcputime", "libbpf-tools", True, True

    def arguments(self, pid, scratch):
        return [self.program, "-p", str(pid)]


class BpfTrace(Peer):
    name, about = "bpftrace", "bpftrace, off-CPU time by user stack"
    program, package, stacks, programs = "bpftrace", "bpftrace", True, True
    ready = "ready"
    # What it prints at its end takes it up to 20 s to symbolise, and no longer disturbs anybody by then.

    def arguments(self, pid, scratch):
        return ["bpftrace", str(HERE / "offcpu.bt"), str(pid)]


class PerfRecord(Peer):
    name, about = "perf-record", "perf record -e sched:sched_switch -g -p"
    program, package, stacks = "perf", "linux-perf", True

    def arguments(self, pid, scratch):
        return ["perf", "record", "-q", "-e", "sched:sched_switch", "-g", "-o", str(scratch / "perf.data"), "-p", str(pid)]


class PerfTrace(Peer):
    name, about = "perf-trace", "perf trace -p"
    program, package, heavy = "perf", "linux-perf", True

    def arguments(self, pid, scratch):
        return ["perf", "trace", "-o", "/dev/null", "-p", str(pid)]


class Strace(Peer):
    name, about = "strace", "strace -f -p"
    program, package, heavy = "strace", "strace", True
    ready = "attached"

    def arguments(self, pid, scratch):
        return ["strace", "-f", "-o", "/dev/null", "-p", str(pid)]


class BccOffCpuTime(Peer):
    name, about = "bcc-offcputime", "bcc's offcputime -p (Python)"
    program, package, stacks, programs = "/usr/sbin/offcputime-bpfcc", "bpfcc-tools", True, True
    ready = "Tracing off-CPU time"
    _why_not = ()

    def arguments(self, pid, scratch):
        return [self.program, "-p", str(pid)]

    @classmethod
    def why_not(cls):
        missing = super().why_not()
        if missing:
            return missing
        # It compiles its program at its start, against the kernel's headers, and attaches it with a kprobe.
        if not cls._why_not:
            tried = subprocess.run([*WITH_TRACEFS, cls.program, "-p", "1", "1"], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
            said = [line for line in (tried.stdout + tried.stderr).splitlines() if line and "modprobe" not in line]
            cls._why_not = (None if tried.returncode == 0 else f"does not run here: {said[0][:250] if said else tried.returncode}",)
        return cls._why_not[0]

    @classmethod
    def what(cls):
        return None


PEERS = (OffCpuTime, BpfTrace, PerfRecord, BccOffCpuTime, PerfTrace, Strace)
