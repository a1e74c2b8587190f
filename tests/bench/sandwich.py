# SPDX-License-Identifier: Apache-2.0
"""How a server with a follower is held against the same server without: in sandwiches.

    bare · followed · bare · control · bare · followed …

Each slice is a second or less of load on one running server. What a follower costs is its slice over the mean of the
bare ones right before and after, so that a drift of the machine, of clock rate or cache or neighbours, falls out as far as it is
steady for some seconds; a bare slice serves on both its sides. The control is a sandwich with nothing in it. Short slices and many:
a busy neighbour changes a virtual CPU's speed by half, at all scales of time, so that two halves of a second right after each other
differ by 3 %, two seconds by 5 to 25 % (a loop of Python alone, measured on such a machine).
A sandwich during which the hypervisor took CPU time, or somebody else's BPF programs were loaded, is set aside.

Where the workload lets it be known, only what the core did at its own speed counts (pace.py). There are hardly three slices of it in a
row on a machine that strays, so then each is held against the NEAREST bare ones of it, for the gauge does not see everything: memory that
a neighbour is busy with makes Node a quarter slower for minutes. And a server like redis serves a request for 5 % more or less from one
slice to the next: so then a sandwich has several slices inside (starting a follower takes longer than one), and bare ones of its own.
"""
import statistics
import time
from dataclasses import asdict, dataclass, replace

from machine import counted_programs, cpu_s, programs_ran_s, stolen_s
from pace import Pace

MAX_STOLEN = 0.02  # of a core, in the slices of a sandwich together: /proc/stat counts ticks of 10 ms
LEAST_KEPT = 3  # disturbed ones count when there are fewer
NEAREST = 8
QUIET_PATIENCE_S = 6.0
METRICS_AT_OWN_SPEED = ("cpu_us_per_request", "requests_per_s")
METRICS = (*METRICS_AT_OWN_SPEED, "p99_ms")


@dataclass(frozen=True)
class Slice:
    cpu_us_per_request: float
    requests_per_s: float
    p99_ms: float
    stolen: float  # share of one core that the hypervisor took
    foreign_programs: bool  # BPF programs of somebody else were loaded: bare was not bare
    intervals: tuple = ()  # of pace.Interval

    def at_own_speed(self, own_speed):
        """The same with the first two figures of only what counts; None: too little does."""
        ratios = own_speed.against_whole(self.intervals)
        return ratios and replace(self, cpu_us_per_request=self.cpu_us_per_request * ratios[0], requests_per_s=self.requests_per_s * ratios[1])

    def plain(self, own_speed):
        """For JSON; with the figures that count, if any do."""
        values = {name: value for name, value in asdict(replace(self, intervals=())).items() if name != "intervals"}
        found = own_speed and self.at_own_speed(own_speed)
        return values | {"at_own_speed": found and {name: getattr(found, name) for name in METRICS_AT_OWN_SPEED}}


@dataclass(frozen=True)
class Sandwich:
    role: str
    before: Slice
    inside: list
    after: Slice
    cost: object  # follower.Cost, None of the control

    def disturbed(self):
        slices = (self.before, *self.inside, self.after)
        stolen = statistics.mean(one.stolen for one in slices)
        return stolen > MAX_STOLEN or self.before.foreign_programs or self.after.foreign_programs

    def ratio(self, metric):
        bare = (getattr(self.before, metric) + getattr(self.after, metric)) / 2
        return statistics.mean(getattr(one, metric) for one in self.inside) / bare if bare else None

    def plain(self, own_speed=None):
        return {"role": self.role, "before": self.before.plain(own_speed), "inside": [one.plain(own_speed) for one in self.inside], "after": self.after.plain(own_speed),
                "cost": self.cost and asdict(self.cost), "disturbed": self.disturbed(), "ratio": {metric: self.ratio(metric) for metric in METRICS}}


class Bench:
    """One running server under load in slices."""

    def __init__(self, workload, server, quiet_kernel, seconds, scratch, own_speed=None):
        self.workload, self.server, self.quiet_kernel, self.seconds, self.scratch = workload, server, quiet_kernel, seconds, scratch
        self.own_speed = own_speed if workload.counted else None
        self.last_bare = None

    def slice(self, foreign_programs=False):
        if self.own_speed:
            self.own_speed.wait()
        started, stolen, cpu = time.monotonic(), stolen_s(), cpu_s(self.server.pid)
        pace = Pace(self.server.pid, self.workload.counted) if self.own_speed else None
        load = self.workload.load(self.server.port, self.seconds, pace)
        used = cpu_s(self.server.pid) - cpu
        pieces = tuple(pace.intervals) if pace else ()
        if self.own_speed:
            self.own_speed.learn(pieces)
        return Slice(used * 1e6 / load.requests, load.requests / load.seconds, load.p99_ms, (stolen_s() - stolen) / (time.monotonic() - started), foreign_programs, pieces)

    def bare(self):
        quiet = self.quiet_kernel.wait(QUIET_PATIENCE_S)
        one = self.slice()
        return one if quiet and not self.quiet_kernel.foreign_programs() else replace(one, foreign_programs=True)

    def programs_share(self):
        """The time that the BPF programs of the host run meanwhile, over the server's CPU time: both from one slice, so that a core which
        is slower makes no difference. More than the server pays: the programs' runs in the load generator are in it."""
        with counted_programs():
            ran, cpu = programs_ran_s(), cpu_s(self.server.pid)
            self.workload.load(self.server.port, self.seconds)
            used = cpu_s(self.server.pid) - cpu
            return sum(seconds - ran.get(number, 0.0) for number, seconds in programs_ran_s().items()) / used

    def sandwich(self, role):
        before = self.last_bare or self.bare()
        self.last_bare = None
        with role(self.server.pid, self.scratch) as follower:
            inside = [self.slice() for _ in range(role.slices if self.own_speed else 1)]
            if role.programs:
                follower.cost.programs_share = self.programs_share()
        after = self.bare()
        if not self.own_speed:
            self.last_bare = after
        return Sandwich(role.name, before, inside, after, follower.cost)


def kept(sandwiches, role):
    """Those of a role that count."""
    mine = [one for one in sandwiches if one.role == role]
    calm = [one for one in mine if not one.disturbed()]
    return calm if len(calm) >= min(LEAST_KEPT, len(mine)) else mine


def bare_slices(sandwiches, own_speed):
    """At the core's own speed; as they came where it never was."""
    whole = [bare for one in sandwiches for bare in (one.before, one.after)]
    return [found for one in whole if (found := one.at_own_speed(own_speed))] or whole


def ratios(sandwiches, role, metric, own_speed):
    """Of a role to bare, and whether they are of the core's own speed alone, of as many slices as there are of it; one each of sandwiches
    that count otherwise."""
    mine = kept(sandwiches, role)
    counting = {id(one) for one in mine}
    found, bare = [], {}  # by when they were: (number of the sandwich, number in it)
    for number, sandwich in enumerate(sandwiches):
        slices = (sandwich.before, *sandwich.inside, sandwich.after)
        for at, one in enumerate(slices):
            is_bare = at in (0, len(slices) - 1)
            counts = not sandwich.disturbed() if is_bare else id(sandwich) in counting
            if counts and (at_own := one.at_own_speed(own_speed)):
                value = (number + at / len(slices), getattr(at_own, metric, None))
                if is_bare:
                    bare[id(one)] = value
                else:
                    found.append(value)
    if metric not in METRICS_AT_OWN_SPEED or not found or len(bare) < LEAST_KEPT:
        return [one.ratio(metric) for one in mine], False

    def of_bare_near(when):
        return statistics.median(value for _, value in sorted(bare.values(), key=lambda one: abs(one[0] - when))[:NEAREST])

    return [value / of_bare_near(when) for when, value in found], True
