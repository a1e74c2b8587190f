# SPDX-License-Identifier: Apache-2.0
"""The server's CPU time per request while its core is at its own speed.

A virtual CPU shares a core with a neighbour's. While that one computes, the same work takes half as much CPU time again, for fractions
of a second or for minutes, and no number of slices averages that out. So a slice is cut into intervals of some milliseconds, and a
gauge on the server's core says at each of their ends how fast the core is (pace/pace.c). Only intervals count in which it was at its
own speed, and CPU time is told in turns of the gauge, as it were, because the core's clock rate strays as well, by a tenth (where
neighbours were quiet, this took the quartiles of bare slices from 7 % apart to 2.5 %). The gauge has no part in what is measured,
neither in the server nor in what follows it.
"""
import os
import statistics
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from machine import SERVER_CORE, on_core

PROGRAMS = Path(os.environ.get("LOOPSNOOP_BUILD", Path(__file__).resolve().parents[2] / "build" / "release")) / "tests" / "bench"
INTERVAL_US = 5000
QUICKEST_OF, QUICK = 50, 1.15  # at its own speed: within that of the quickest fiftieth
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
    """What the core's own speed is, from all that has been measured so far."""

    def __init__(self):
        self.gauges, self.waited_s, self.in_vain = [], 0.0, 0

    def learn(self, pieces):
        self.gauges += [piece.slowest_ns() for piece in pieces]

    def limit_ns(self):
        return QUICK * sorted(self.gauges)[len(self.gauges) // QUICKEST_OF] if self.gauges else 0

    def quick(self, pieces):
        limit = self.limit_ns()
        return [piece for piece in pieces if piece.slowest_ns() <= limit]

    def plain(self):
        return {"gauge_limit_us": self.limit_ns() / 1000, "intervals": len(self.gauges), "share": len([one for one in self.gauges if one <= self.limit_ns()]) / max(1, len(self.gauges)),
                "waited_s": self.waited_s, "in_vain": self.in_vain}

    def wait(self):
        """Until the server's core is at its own speed; in vain after a while. Neighbours come and go."""
        if not self.gauges:
            return
        started = time.monotonic()
        subprocess.run(on_core(SERVER_CORE, [PROGRAMS / "bench_pace", "wait", int(self.limit_ns()), int(PATIENCE_S * 1000)]), check=True, stdout=subprocess.DEVNULL, timeout=10 * PATIENCE_S)
        took = time.monotonic() - started
        self.waited_s, self.in_vain = self.waited_s + took, self.in_vain + (took >= PATIENCE_S)

    def against_whole(self, pieces):
        """CPU time per byte, and bytes per second, of the intervals that count, at the clock rate of the limit, over those of all. None:
        too few count."""
        limit, quick = self.limit_ns(), self.quick(pieces)
        if len(quick) < LEAST:
            return None

        def at_limit(what):
            return sum(getattr(piece, what) * limit / statistics.mean(piece.gauges_ns) for piece in quick) / sum(piece.bytes for piece in quick)

        def whole(what):
            return sum(getattr(piece, what) for piece in pieces) / sum(piece.bytes for piece in pieces)

        return at_limit("cpu_s") / whole("cpu_s"), whole("seconds") / at_limit("seconds")
