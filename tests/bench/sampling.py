# SPDX-License-Identifier: Apache-2.0
"""What the stacks of a loop that computes cost it: callbacks of a fixed amount of work, some 60 ms, in CPython; the CPU time of one,
followed by loopsnoop at several thresholds, against bare right before and after."""
import socket
import sys
import tempfile
import time
from pathlib import Path

import command
import figures
from follower import Loopsnoop, Nobody
from machine import QuietKernel
from sandwich import Bench, kept
from workloads import HERE, Load, Server, Workload

THRESHOLDS = ("100ms", "20ms", "5ms", "1ms")
METRIC = "cpu_us_per_request"


def made(port):
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        return int(connection.makefile().readline())


def callbacks(port, seconds, _pace=None):
    """From the end of one to the end of another: an answer comes between two callbacks."""
    before, started = made(port), time.monotonic()
    time.sleep(seconds)
    return Load(made(port) - before, time.monotonic() - started, 0)


WORKLOAD = Workload("computing", "a computing loop", lambda port, _scratch: ["/usr/bin/python3", str(HERE / "computing_app.py"), str(port)], callbacks, 0, None)


def at(threshold):
    """loopsnoop with that threshold, as a role of sandwich.py."""
    return type("AtThreshold", (Loopsnoop,), {"name": threshold, "more": ["--threshold", threshold]})


def table(sandwiches, slice_s):
    rows = []
    for role in ("control", *THRESHOLDS):
        mine = kept(sandwiches, role)
        costs = [one.cost for one in mine if one.cost]
        rows.append(("nobody: bare against bare" if role == "control" else f"`--threshold {role}`", figures.spread((one.ratio(METRIC) for one in mine), ".3f"),
                     figures.spread((100 * cost.cpu_share for cost in costs), ".2f"), figures.spread((cost.stalls for cost in costs), ".0f"), len(mine)))
    bare = figures.spread((one.before.cpu_us_per_request / 1000 for one in sandwiches), ".1f")
    return (figures.table(("followed by", "CPU time of a callback, followed / bare", "CPU of loopsnoop, % of a core", "stalls reported", "comparisons"), rows)
            + f"\n\nA callback takes {bare} ms of CPU time bare; slices of {slice_s:g} s.")


def parse():
    parser = command.parser("sampling", __doc__)
    parser.add_argument("--rounds", type=int, default=8, help="half a minute each (default: 8)")
    parser.add_argument("--quick", action="store_true", help="2 rounds")
    parser.add_argument("--seconds", type=float, default=1.5, help="length of one slice (default: 1.5)")
    options = parser.parse_args()
    if options.rounds < 1 or options.seconds <= 0:
        parser.error("--rounds must be 1 or more, --seconds more than 0")
    return options


def main(options):
    Loopsnoop.binary = options.binary
    roles, sandwiches = [Nobody, *(at(threshold) for threshold in THRESHOLDS)], []
    with tempfile.TemporaryDirectory(prefix="loopsnoop-bench.") as scratch, Server(WORKLOAD, Path(scratch)) as server:
        bench = Bench(WORKLOAD, server, QuietKernel(), options.seconds, Path(scratch))
        callbacks(server.port, 1)  # warm
        for number in range(2 if options.quick else options.rounds):
            shift = number % len(roles)
            sandwiches += [bench.sandwich(role) for role in roles[shift:] + roles[:shift]]
            print(f"  round {number + 1}: " + ", ".join(f"{one.role} {one.ratio(METRIC):.3f}" for one in sandwiches[-len(roles):]), file=sys.stderr, flush=True)
    about = command.about(options)
    text = f"{table(sandwiches, options.seconds)} {about['loopsnoop']}, kernel {about['kernel']}."
    command.tell(options, "sampling", text, {"about": about, "sandwiches": [one.plain() for one in sandwiches]})


if __name__ == "__main__":
    command.run(parse, main)
