# SPDX-License-Identifier: Apache-2.0
"""The machine that is measured on: its two cores, the CPU time of processes, what the hypervisor takes, and whose BPF programs are loaded."""
import contextlib
import ctypes
import json
import os
import subprocess
import time
from pathlib import Path

SERVER_CORE, OTHER_CORE = "0", "1"
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
SYS_BPF, BPF_PROG_GET_NEXT_ID = 321, 11  # x86-64; enum bpf_cmd of linux/bpf.h
_libc = ctypes.CDLL(None, use_errno=True)


def on_core(core, command):
    return ["taskset", "-c", core, *(str(word) for word in command)]


def cpu_s(pid):
    """CPU time of all threads of the process so far, ended ones included, by the scheduler's own account in ns."""
    return time.clock_gettime(~pid << 3 | 2)  # the clock of another process: clock_getcpuclockid(3)


def rss_bytes(pid):
    with open(f"/proc/{pid}/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def switches(pid):
    """How often the threads of the process went to sleep so far."""
    total = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/status") as status:
            total += next(int(line.split()[1]) for line in status if line.startswith("voluntary_ctxt_switches"))
    return total


def family(pid):
    """The process and its descendants."""
    found = [pid]
    for one in found:
        try:
            for thread in os.listdir(f"/proc/{one}/task"):
                with open(f"/proc/{one}/task/{thread}/children") as children:
                    found += [int(word) for word in children.read().split()]
        except OSError:
            continue
    return found


def stolen_s():
    """What the hypervisor has taken from the CPUs so far, by /proc/stat: whole ticks."""
    with open("/proc/stat") as stat:
        return int(stat.readline().split()[8]) * TICK_S


def bpf_programs():
    """The numbers of all BPF programs in the kernel."""
    class Attributes(ctypes.Structure):
        _fields_ = [("start_id", ctypes.c_uint32), ("next_id", ctypes.c_uint32), ("flags", ctypes.c_uint32), ("rest", ctypes.c_uint32 * 29)]

    found, attributes = set(), Attributes()
    while _libc.syscall(SYS_BPF, BPF_PROG_GET_NEXT_ID, ctypes.byref(attributes), 12) == 0:
        found.add(attributes.next_id)
        attributes.start_id = attributes.next_id
    return found


def programs_ran_s():
    """How long each BPF program has run so far, by the kernel's account, which counts only within `counted_programs`: {number: s}."""
    shown = subprocess.run(["bpftool", "--json", "prog", "show"], capture_output=True, text=True, timeout=20, check=True, env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin"})
    return {one["id"]: one.get("run_time_ns", 0) / 1e9 for one in json.loads(shown.stdout)}


@contextlib.contextmanager
def counted_programs():
    """The kernel keeps account of how long BPF programs run. That costs each run two clock reads, of which the account has one."""
    switch = Path("/proc/sys/kernel/bpf_stats_enabled")
    before = switch.read_text()
    switch.write_text("1")
    try:
        yield
    finally:
        switch.write_text(before)


class QuietKernel:
    """No BPF programs but those that were there at the start: without that, bare is not bare. Programs go some time after their owner."""

    def __init__(self):
        self.usual = bpf_programs()

    def foreign_programs(self):
        return bpf_programs() - self.usual

    def wait(self, patience_s=20.0):
        """True once they are gone; False when somebody else's stay."""
        until = time.monotonic() + patience_s
        while self.foreign_programs():
            if time.monotonic() > until:
                return False
            time.sleep(0.02)
        return True


def first_line(command):
    """What a program calls its version; None when it is not installed."""
    try:
        output = subprocess.run(command, capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = (output.stdout + output.stderr).strip().splitlines()
    return lines[0] if lines else None
