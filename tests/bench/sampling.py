# SPDX-License-Identifier: Apache-2.0
"""What the stacks of a loop that computes cost it: callbacks of a fixed amount of work, some 40 to 60 ms, in CPython; the CPU time of
one, followed by loopsnoop at several thresholds, against bare ones, while the core is at its own speed (pace.py)."""
import functools
import socket
import sys
import tempfile
import time
from pathlib import Path

import command
import figures
from computing_app import PIECES
from follower import Loopsnoop, Nobody
from machine import QuietKernel
from pace import OwnSpeed
from sandwich import Bench, bare_slices, kept, ratios
from workloads import HERE, Load, Server, Workload

THRESHOLDS = ("100ms", "20ms", "5ms", "1ms")
METRIC = "cpu_us_per_request"


@functools.cache
def process_at(port):
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        return int(connection.makefile().readline())


def made(pid):
    """Callbacks, with the fraction of the one that it is at."""
    lines = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
    return int(lines["wchar"]) / PIECES


def callbacks(port, seconds, pace=None):
    pid = process_at(port)
    if pace:
        pace.began(None)
    before, started = made(pid), time.monotonic()
    time.sleep(seconds)
    load = Load(made(pid) - before, time.monotonic() - started, 0)
    if pace:
        pace.ended()
    return load


WORKLOAD = Workload("computing", "a computing loop", lambda port, _scratch: ["/usr/bin/python3", str(HERE / "computing_app.py"), str(port)], callbacks, 0, "server")


def at(threshold):
    """loopsnoop with that threshold, as a role of sandwich.py."""
    return type("AtThreshold", (Loopsnoop,), {"name": threshold, "more": ["--threshold", threshold]})


def table(sandwiches, own_speed, slice_s):
    rows, whole = [], False
    for role in ("control", *THRESHOLDS):
        costs = [one.cost for one in kept(sandwiches, role) if one.cost]
        found, at_own = ratios(sandwiches, role, METRIC, own_speed)
        whole |= not at_own
        rows.append(("nobody: bare against bare" if role == "control" else f"`--threshold {role}`", figures.spread(found, ".3f") + ("" if at_own else " †"), len(found),
                     figures.spread((100 * cost.programs_share for cost in costs), ".2f"), figures.spread((100 * cost.cpu_share for cost in costs), ".2f"),
                     figures.spread((cost.stalls / cost.followed_s for cost in costs), ".0f")))
    bare = figures.spread((one.cpu_us_per_request / 1000 for one in bare_slices(sandwiches, own_speed)), ".1f")
    head = ("followed by", "CPU time of a callback, followed / bare", "slices", "BPF programs alone, % of the loop's CPU time", "CPU of loopsnoop, % of a core", "stalls reported a second")
    aside = " †: of whole slices, as the core was hardly ever at its own speed." if whole else ""
    return f"{figures.table(head, rows)}\n\nA callback takes {bare} ms of CPU time bare; slices of {slice_s:g} s.{aside}"


def parse():
    parser = command.parser("sampling", __doc__)
    parser.add_argument("--rounds", type=int, default=8, help="a minute each (default: 8)")
    parser.add_argument("--quick", action="store_true", help="2 rounds")
    parser.add_argument("--seconds", type=float, default=1, help="length of one slice (default: 1)")
    options = parser.parse_args()
    if options.rounds < 1 or options.seconds <= 0:
        parser.error("--rounds must be 1 or more, --seconds more than 0")
    return options


def main(options):
    Loopsnoop.binary = options.binary
    roles, sandwiches = [Nobody, *(at(threshold) for threshold in THRESHOLDS)], []
    with tempfile.TemporaryDirectory(prefix="loopsnoop-bench.") as scratch, Server(WORKLOAD, Path(scratch)) as server:
        own_speed = OwnSpeed()
        bench = Bench(WORKLOAD, server, QuietKernel(), options.seconds, Path(scratch), own_speed)
        callbacks(server.port, 1)  # warm
        for number in range(2 if options.quick else options.rounds):
            shift = number % len(roles)
            sandwiches += [bench.sandwich(role) for role in roles[shift:] + roles[:shift]]
            so_far = ", ".join(f"{role.name} {figures.spread(ratios(sandwiches, role.name, METRIC, own_speed)[0], '.3f')}" for role in roles)
            print(f"  round {number + 1}: {so_far}", file=sys.stderr, flush=True)
    about = command.about(options)
    text = f"{table(sandwiches, own_speed, options.seconds)} {about['loopsnoop']}, kernel {about['kernel']}."
    data = {"about": about, "own_speed": own_speed.plain(), "sandwiches": [one.plain(own_speed) for one in sandwiches]}
    command.publish(options, "sampling", text, data)


if __name__ == "__main__":
    command.run(parse, main)
