# SPDX-License-Identifier: Apache-2.0
"""The server's CPU time per request while its core is at its own speed.

A virtual CPU shares a core with a neighbour's. While that one computes, the same work takes half as much CPU time again, for fractions
of a second or for minutes, and no number of slices averages that out. So a slice is cut into intervals of some milliseconds, and a
gauge on the server's core says at each of their ends how fast the core is (pace/pace.c). Only intervals count in which it was at one
speed: the highest at which it was often enough under this load, since the load generator may be on the other half of the same core,
and keep it busy all the time. CPU time is counted in turns of the gauge, as it were, because the core's clock rate strays as well, by a
tenth (that took the quartiles of bare slices from 7 % apart to 2.5 %). The gauge has no part in what is measured, neither in the server
nor in what follows it.
"""
import bisect
import statistics
import subprocess
import time
from dataclasses import dataclass

from machine import SERVER_CORE, on_core
from workloads import PROGRAMS

INTERVAL_US = 5000
ONE_SPEED = 1.15  # from the lowest to the highest gauge of it
OFTEN = 0.15  # of all intervals
LEAST = 10  # intervals of a slice; with fewer it says nothing
PATIENCE_S = 2.0


@dataclass(frozen=True)
class Interval:
    cpu_s: float
    bytes: int
    seconds: float
    gauges_ns: tuple  # at its two ends

    def slowest_ns(self):
        return max(self.gauges_ns)


def intervals(text):
    rows = [tuple(int(word) for word in line.split()) for line in text.splitlines()]
    found = []
    for (at, _, cpu, written, gauge), (next_at, next_cpu, _, next_written, next_gauge) in zip(rows, rows[1:]):
        if next_written > written:
            found.append(Interval((next_cpu - cpu) / 1e9, next_written - written, (next_at - at) / 1e9, (gauge, next_gauge)))
    return found


class Pace:
    """Of one run of load on one server: began() once the load generator runs, ended() after it."""

    def __init__(self, server, counted):
        self.server, self.counted, self.process, self.intervals = server, counted, None, []

    def began(self, load):
        counted = {"load": load, "server": self.server}[self.counted]
        self.process = subprocess.Popen(on_core(SERVER_CORE, [PROGRAMS / "bench_pace", self.server, counted, INTERVAL_US]), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def ended(self):
        if self.process is None:
            return
        self.process.terminate()
        output, said = self.process.communicate(timeout=10)
        if self.process.returncode != 0:
            raise RuntimeError(f"bench_pace: exit status {self.process.returncode}: {said.strip()}")
        self.intervals = intervals(output)


class OwnSpeed:
    """What the core's own speed is under one load, from all that has been measured of it so far."""

    def __init__(self):
        self.gauges, self.waited_s, self.in_vain = [], 0.0, 0
        self.bounds = None  # those of all gauges so far, once somebody has asked

    def learn(self, pieces):
        self.gauges += [piece.slowest_ns() for piece in pieces]
        self.bounds = None

    def bounds_ns(self):
        """The lowest gauges that OFTEN of all are near to."""
        if self.bounds is None:
            ordered = sorted(self.gauges)
            often = (low for low in ordered[:: max(1, len(ordered) // 200)] if bisect.bisect_right(ordered, low * ONE_SPEED) - bisect.bisect_left(ordered, low) >= OFTEN * len(ordered))
            low = next(often, 0)
            self.bounds = low, low * ONE_SPEED
        return self.bounds

    def quick(self, pieces):
        low, high = self.bounds_ns()
        return [piece for piece in pieces if low <= piece.slowest_ns() <= high]

    def plain(self):
        low, high = self.bounds_ns()
        return {"gauge_us": [low / 1000, high / 1000], "intervals": len(self.gauges), "counting": sum(low <= one <= high for one in self.gauges), "waited_s": self.waited_s, "in_vain": self.in_vain}

    def wait(self):
        """Until the server's core is at its own speed; in vain after a while. Neighbours come and go."""
        if not self.gauges:
            return
        started = time.monotonic()
        subprocess.run(on_core(SERVER_CORE, [PROGRAMS / "bench_pace", "wait", int(self.bounds_ns()[1]), int(PATIENCE_S * 1000)]), check=True, timeout=10 * PATIENCE_S)
        took = time.monotonic() - started
        self.waited_s, self.in_vain = self.waited_s + took, self.in_vain + (took >= PATIENCE_S)

    def against_whole(self, pieces):
        """CPU time per byte, and bytes per second, of the intervals that count, all at one clock rate, over those of all. None: too few
        count."""
        quick, clock = self.quick(pieces), self.bounds_ns()[0]
        if len(quick) < LEAST:
            return None

        def at_one_clock(what):
            return sum(getattr(piece, what) * clock / statistics.mean(piece.gauges_ns) for piece in quick) / sum(piece.bytes for piece in quick)

        def whole(what):
            return sum(getattr(piece, what) for piece in pieces) / sum(piece.bytes for piece in pieces)

        return at_one_clock("cpu_s") / whole("cpu_s"), whole("seconds") / at_one_clock("seconds")
