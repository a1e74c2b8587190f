# SPDX-License-Identifier: Apache-2.0
"""What being followed costs a server: CPU time per request and requests/s, followed against bare.

A round measures the same running server three times, in an order that rotates: bare, followed, and bare once more. followed/bare
is the cost; bare/bare is the control: what the machine's own drift makes of a ratio that ought to be 1.
"""
import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

from follower import Follower, cpu_s
from workloads import WORKLOADS, Server

ORDERS = (("bare", "followed", "control"), ("followed", "control", "bare"), ("control", "bare", "followed"),
          ("control", "followed", "bare"), ("bare", "control", "followed"), ("followed", "bare", "control"))


def measure(workload, server, seconds):
    """(CPU ns per request, requests/s) of one spell of load."""
    cpu_before = cpu_s(server.pid)
    load = workload.load(server.port, seconds)
    return {"cpu_ns_per_request": (cpu_s(server.pid) - cpu_before) * 1e9 / load.requests, "requests_per_s": load.requests / load.seconds}


def run_workload(workload, binary, rounds, seconds, scratch):
    measured = []
    with Server(workload, scratch) as server:
        workload.load(server.port, 1)  # warm
        for number in range(rounds):
            one = {}
            for role in ORDERS[number % len(ORDERS)]:
                if role == "followed":
                    with Follower(binary, server.pid, scratch) as follower:
                        one[role] = measure(workload, server, seconds)
                    one["loopsnoop"] = asdict(follower.cost)
                else:
                    one[role] = measure(workload, server, seconds)
            measured.append(one)
            print(f"  {workload.name} {number + 1}/{rounds}: CPU/request {ratio(one, 'followed', 'cpu_ns_per_request'):.3f}, "
                  f"control {ratio(one, 'control', 'cpu_ns_per_request'):.3f}", file=sys.stderr, flush=True)
    return measured


def ratio(one, role, what):
    return one[role][what] / one["bare"][what]


def spread(values, form):
    values = list(values)
    return f"{statistics.median(values):{form}} [{min(values):{form}}–{max(values):{form}}]"


def row(workload, measured):
    own = [one["loopsnoop"] for one in measured]
    lost = sum(sum(cost["lost"].values()) for cost in own)
    return " | ".join((
        f"| {workload.about}",
        spread((one["bare"]["cpu_ns_per_request"] / 1000 for one in measured), ".1f"),
        spread((ratio(one, "followed", "cpu_ns_per_request") for one in measured), ".3f"),
        spread((ratio(one, "control", "cpu_ns_per_request") for one in measured), ".3f"),
        spread((ratio(one, "followed", "requests_per_s") for one in measured), ".3f"),
        spread((ratio(one, "control", "requests_per_s") for one in measured), ".3f"),
        spread((cost["cpu_share"] * 100 for cost in own), ".2f"),
        spread((cost["start_cpu_s"] * 1000 for cost in own), ".0f"),
        f"{max(cost['rss_bytes'] for cost in own) / 2**20:.1f}",
        spread((cost["attach_s"] * 1000 for cost in own), ".0f"),
        f"{sum(cost['stalls'] for cost in own)} / {lost} |",
    ))


HEAD = """| server | bare CPU/request, µs | CPU/request followed/bare | control bare/bare | req/s followed/bare | control | loopsnoop's CPU, % of a core | its start, CPU ms | memory, MiB | attach, ms | stalls / lost |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"""


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench overhead")
    parser.add_argument("--quick", action="store_true", help="few short rounds, under five minutes (default: about half an hour)")
    parser.add_argument("--only", metavar="NAME", action="append", choices=[workload.name for workload in WORKLOADS],
                        help="this workload, may be repeated: " + ", ".join(workload.name for workload in WORKLOADS))
    parser.add_argument("--rounds", type=int, help="rounds a workload (quick: 5, else 18)")
    parser.add_argument("--seconds", type=float, help="length of one measurement (quick: 2, else 5)")
    parser.add_argument("--binary", default="build/release/loopsnoop", help=argparse.SUPPRESS)
    parser.add_argument("--output", type=Path, default="build/bench", help=argparse.SUPPRESS)
    parser.add_argument("--check", action="store_true", help=argparse.SUPPRESS)  # of the options only, before a build
    options = parser.parse_args()
    if options.check:
        return
    rounds = options.rounds or (5 if options.quick else 18)
    seconds = options.seconds or (2 if options.quick else 5)
    workloads = [workload for workload in WORKLOADS if not options.only or workload.name in options.only]

    started = time.monotonic()
    results, rows = {}, []
    with tempfile.TemporaryDirectory(prefix="loopsnoop-bench.") as scratch:
        for workload in workloads:
            results[workload.name] = run_workload(workload, options.binary, rounds, seconds, Path(scratch))
            rows.append(row(workload, results[workload.name]))
    version = subprocess.run([options.binary, "--version"], capture_output=True, text=True).stdout.strip()
    about = {"kernel": platform.release(), "loopsnoop": version, "rounds": rounds, "seconds": seconds,
             "took_s": round(time.monotonic() - started)}
    table = "\n".join((HEAD, *rows, "", f"Median [min–max] of {rounds} rounds of {seconds:g} s each; kernel {platform.release()}, {version}.",
                       ""))
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "overhead.json").write_text(json.dumps({"about": about, "rounds": results}, indent=1) + "\n")
    (options.output / "overhead.md").write_text(table)
    print(table)


if __name__ == "__main__":
    try:
        main()
    except (RuntimeError, OSError, subprocess.SubprocessError) as error:
        sys.exit(f"bench: {error}")
