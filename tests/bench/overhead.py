# SPDX-License-Identifier: Apache-2.0
"""What following costs a server: its CPU time per request, requests per second and p99 latency, followed by loopsnoop, by its peers, by
empty BPF programs on the same hooks, and by stand-ins, each against the same server bare right before and after."""
import argparse
import itertools
import sys
import tempfile
import time
from pathlib import Path

import command
import figures
from follower import Loopsnoop, Nobody, StandIn
from machine import QuietKernel
from pace import OwnSpeed
from overhead_tables import tables
from peers import PEERS, Floor
from sandwich import METRICS, Bench, bare_slices, kept, ratios
from workloads import WORKLOADS, Server

FULL_S, QUICK_S = 27 * 60, 4.5 * 60  # of measuring; servers and builds come on top
LIGHT_EVERY, HEAVY_EVERY = 2, 3  # rounds
SERVER_START_S = 3


def roles_of_round(number, quick, peers):
    """loopsnoop twice: its figure is the one that has to be steady. In an order that rotates."""
    roles = [Loopsnoop, Nobody] if quick else [Loopsnoop, Nobody, Floor, Loopsnoop, StandIn]
    shift = number % len(roles)
    roles = roles[shift:] + roles[:shift]
    return roles + [peer for peer in peers if number % (HEAVY_EVERY if peer.heavy else LIGHT_EVERY) == 0]


def run_workload(workload, quiet_kernel, own_speed, options, peers, until, scratch):
    """Rounds until the time is over or there are enough of them; every role is measured once in any case."""
    sandwiches, failed, took = [], {}, {}
    with Server(workload, scratch) as server:
        workload.load(server.port, 1)  # warm
        bench = Bench(workload, server, quiet_kernel, options.seconds, scratch, own_speed)
        for number in range(options.rounds or 10000):
            for role in roles_of_round(number, options.quick, peers):
                if role.name in took and time.monotonic() + took[role.name] > until:
                    continue
                if role.name in failed:
                    continue
                started = time.monotonic()
                try:
                    sandwiches.append(bench.sandwich(role))
                except RuntimeError as error:
                    if role in (Loopsnoop, Nobody, StandIn, Floor):
                        raise
                    failed[role.name] = str(error)[:300]
                    continue
                took[role.name] = time.monotonic() - started
            so_far = []
            for role in ("loopsnoop", "control"):
                found, at_own = ratios(sandwiches, role, "cpu_us_per_request", own_speed)
                so_far.append(f"{role} {figures.spread(found, '.3f')} of {len(found)}{' at own speed' if at_own else ''}")
            print(f"  {workload.name}, round {number + 1}: CPU/request {', '.join(so_far)}", file=sys.stderr, flush=True)
            if time.monotonic() + max(took.values()) > until:
                break
    return sandwiches, failed


def summary(workload, sandwiches, failed, own_speed):
    """Of one workload: for each role the ratios that count."""
    roles = {}
    for role in dict.fromkeys(one.role for one in sandwiches):
        mine = kept(sandwiches, role)
        roles[role] = {"sandwiches": len(mine), "set_aside": sum(one.role == role for one in sandwiches) - len(mine),
                       "disturbed": sum(one.disturbed() for one in mine)}
        for metric in METRICS:
            found, at_own = ratios(sandwiches, role, metric, own_speed)
            middle, low, high = figures.quartiles(found)
            roles[role][metric] = {"median": middle, "low": low, "high": high, "count": len(found), "at_own_speed": at_own}
    bare = bare_slices(sandwiches, own_speed)
    return {"about": workload.about, "bar": workload.bar, "own_speed": own_speed.plain(), "roles": roles, "failed": failed,
            "bare": {metric: figures.quartiles(getattr(one, metric) for one in bare)[0] for metric in METRICS},
            "sandwiches": [one.plain(own_speed) for one in sandwiches]}


def parse():
    parser = command.parser("overhead", __doc__)
    names = [workload.name for workload in WORKLOADS]
    parser.add_argument("--quick", action="store_true", help="under five minutes; loopsnoop and the control alone (default: within half an hour)")
    parser.add_argument("--only", metavar="NAME", action="append", choices=names, help="this workload, may be repeated: " + ", ".join(names))
    parser.add_argument("--peers", action=argparse.BooleanOptionalAction, help="the peers, too (default: unless --quick)")
    parser.add_argument("--rounds", type=int, help="at most that many rounds a workload (default: as the time allows)")
    parser.add_argument("--seconds", type=float, default=1, help="length of one slice of load (default: 1)")
    parser.add_argument("--minutes", type=float, help=f"time for it all (default: {FULL_S / 60:g}; with --quick {QUICK_S / 60:g})")
    options = parser.parse_args()
    for name in ("rounds", "seconds", "minutes"):
        if getattr(options, name) is not None and getattr(options, name) <= 0:
            parser.error(f"--{name} must be more than 0")
    if options.peers is None:
        options.peers = not options.quick
    return options


def main(options):
    Loopsnoop.binary = options.binary
    workloads = [workload for workload in WORKLOADS if not options.only or workload.name in options.only]
    absent = {peer.name: why for peer in PEERS if options.peers for why in [peer.why_not()] if why}
    peers = [peer for peer in PEERS if options.peers and peer.name not in absent]
    for name, why in absent.items():
        print(f"  without {name}: {why}", file=sys.stderr)
    quiet_kernel = QuietKernel()
    started = time.monotonic()
    ends = started + (options.minutes * 60 if options.minutes else QUICK_S if options.quick else FULL_S)
    results = {}
    with tempfile.TemporaryDirectory(prefix="loopsnoop-bench.") as scratch:
        for workload, left in zip(workloads, itertools.count(len(workloads), -1)):
            until = time.monotonic() + (ends - time.monotonic()) / left - SERVER_START_S
            own_speed = OwnSpeed()
            sandwiches, failed = run_workload(workload, quiet_kernel, own_speed, options, peers, until, Path(scratch))
            results[workload.name] = summary(workload, sandwiches, failed, own_speed)
    about = {**command.about(options), "slice_s": options.seconds, "took_s": round(time.monotonic() - started), "bpf_programs_before": len(quiet_kernel.usual),
             "peers": {peer.name: {"about": peer.about, "version": peer.what(), "yields_stacks": peer.stacks} for peer in peers}, "peers_absent": absent}
    data = {"about": about, "workloads": results}
    text = tables(data)
    command.publish(options, "overhead", text, data)


if __name__ == "__main__":
    command.run(parse, main)
