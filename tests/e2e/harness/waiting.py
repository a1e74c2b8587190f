# SPDX-License-Identifier: Apache-2.0
"""Waiting for what other processes do. Time limits are for what should not happen: no test depends on their length."""

import contextlib
import os
import pathlib
import selectors
import time

PATIENCE_S = 30.0
NS_PER_S = 1_000_000_000


class TooLate(AssertionError):
    pass


def until(condition, what, patience=PATIENCE_S, every=0.01):
    """The first true value of `condition()`. For what the system gives no event for."""
    deadline = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TooLate(f"waited {patience:.0f} s for {what}")
        time.sleep(every)


class Lines:
    """Lines of a pipe, with a time limit for each."""

    def __init__(self, pipe):
        self._fd = pipe.fileno()
        self._rest = b""
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._fd, selectors.EVENT_READ)

    def next(self, patience=PATIENCE_S):
        """The next line without its end; None at the end of the stream."""
        deadline = time.monotonic() + patience
        while b"\n" not in self._rest:
            if not self._selector.select(max(0.0, deadline - time.monotonic())):
                raise TooLate(f"no line within {patience:.0f} s, had {self._rest!r}")
            got = os.read(self._fd, 1 << 16)
            if not got:
                return None
            self._rest += got
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode()


def proc(pid, name, tid=None):
    """A file of /proc, or "" when the process is gone."""
    path = pathlib.Path("/proc", str(pid), *(("task", str(tid)) if tid else ()), name)
    with contextlib.suppress(OSError):
        return path.read_text(errors="replace")
    return ""


def state_of(pid, tid=None):
    """One letter as in /proc/PID/stat; "" when it is gone."""
    text = proc(pid, "stat", tid or pid)
    return text.rpartition(")")[2].split()[0] if text else ""


def stolen_ns():
    """What the hypervisor has taken from this machine's CPUs so far, in whole ticks of each."""
    ticks = pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[8]
    return int(ticks) * (NS_PER_S // os.sysconf("SC_CLK_TCK"))


def delay_ns(pid, *tids):
    """How long the threads have been kept from running so far: by other threads, and by whoever shares the machine under us. Only
    differences say something."""
    queued = 0
    for tid in tids or (pid,):
        text = proc(pid, "schedstat", tid)
        queued += int(text.split()[1]) if text else 0
    return queued + stolen_ns()


def sleeps_in(pid, tid, syscall_number):
    """True when the thread is asleep in that system call now."""
    return proc(pid, "syscall", tid).startswith(f"{syscall_number} ") and state_of(pid, tid) in ("S", "D")
