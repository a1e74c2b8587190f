# SPDX-License-Identifier: Apache-2.0
"""What it costs to watch a whole host: `loopsnoop --all` among hundreds of loops, most of them idle; its CPU time, memory and the time
a scrape takes; and what it adds to the context switches and system calls of those that it does not follow."""
import contextlib
import gzip
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import events
import command
import figures
from machine import rss_bytes, cpu_s
from workloads import PROGRAMS

PATIENCE_S = 60
BARS = {"cpu": 0.02, "rss_mib": 64, "scrape_ms": 50, "others": 1.5}  # of 200 idle and 20 busy loops
CROWDS = ((0, 0), (100, 10), (200, 20), (480, 20), (960, 40))
USUAL_LOOPS = 900  # some of the host's own are found besides
QUICK_ROUNDS = 3  # that the events of others are measured in
HOOKED = ("context switch in a callback", "poll call", "futex call", "file call", "other system call")


class Crowd:
    """Processes with one loop each: idle ones have a timer a second, busy ones 500 iterations a second."""

    def __init__(self, idle, busy, group=None):
        light = PROGRAMS.parent / "targets" / "target_light"
        self.group = group
        self.processes = [
            subprocess.Popen([light, "idle" if number < idle else "healthy"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for number in range(idle + busy)
        ]

    def __enter__(self):
        for process in self.processes:
            if process.stdout.readline() != "ready\n":
                raise RuntimeError("target_light does not come up")
            if self.group:
                (self.group / "cgroup.procs").write_text(str(process.pid))
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
            process.wait()


class Watching:
    """loopsnoop as its service runs it."""

    def __init__(self, binary, which=("--all",), loops=0):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        # As --all has it by itself, unless there are more.
        most = 2048 if loops > USUAL_LOOPS else 1024
        self.started = time.monotonic()
        self.process = subprocess.Popen([binary, "-q", *which, "--max-loops", str(most), "--listen", str(self.port)], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def scrape(self):
        """(the text, ms until it was there), compressed on its way as Prometheus has it."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/metrics", headers={"Accept-Encoding": "gzip"})
        begun = time.monotonic()
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            body = answer.read()
            took_ms = (time.monotonic() - begun) * 1000
            return (gzip.decompress(body) if answer.headers.get("Content-Encoding") == "gzip" else body).decode(), took_ms

    def loops(self):
        try:
            return self.scrape()[0].count("\nloopsnoop_loop_iterations_total{")
        except OSError:
            return 0

    def wait_for(self, loops):
        until = time.monotonic() + PATIENCE_S
        while self.loops() < loops:
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"loopsnoop --all has found {self.loops()} of {loops} loops")
            time.sleep(0.05)
        return (time.monotonic() - self.started) * 1000


def high_water_mib(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))


@contextlib.contextmanager
def cgroup():
    """A cgroup of its own: (its folder, what loopsnoop follows it by)."""
    mounts = [line.partition(" - ") for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    points = [Path(before.split()[4]) for before, _, after in mounts if after.startswith("cgroup2 ")]
    if not points:
        raise RuntimeError("--apart needs cgroup v2, and it is not mounted")
    folder = points[0] / f"loopsnoop-bench-{os.getpid()}"
    folder.mkdir()
    try:
        yield folder, ("--cgroup", str(folder))
    finally:
        until = time.monotonic() + PATIENCE_S
        while (folder / "cgroup.procs").read_text().split() and time.monotonic() < until:
            time.sleep(0.05)
        folder.rmdir()


def measure(binary, idle, busy, seconds, apart):
    with cgroup() if apart else contextlib.nullcontext((None, ("--all",))) as (group, which), Crowd(idle, busy, group), Watching(binary, which, idle + busy) as watching:
        pid = watching.process.pid
        found_ms = watching.wait_for(idle + busy)
        time.sleep(3)
        shares = []
        for _ in range(3):
            before, begun = cpu_s(pid), time.monotonic()
            time.sleep(seconds)
            shares.append((cpu_s(pid) - before) / (time.monotonic() - begun))
        rss = rss_bytes(pid)
        scrapes = [watching.scrape() for _ in range(9)]
        time.sleep(3)  # what the scrapes took has been given back by then
        rss_after = rss_bytes(pid)
        return {"idle": idle, "busy": busy, "found": watching.loops(), "found_ms": found_ms, "cpu": statistics.median(shares), "cpu_at_most": max(shares),
                "rss_mib": rss / 2**20, "rss_after_scrapes_mib": rss_after / 2**20, "rss_at_most_mib": high_water_mib(pid),
                "scrape_ms": statistics.median(ms for _, ms in scrapes), "scrape_at_most_ms": max(ms for _, ms in scrapes), "scrape_bytes": len(scrapes[0][0])}


def others(rounds):
    """ns added to the events of a process that is not followed, beside the empty program's; their ratio."""
    _, found = events.measure(rounds, rounds > QUICK_ROUNDS, "all")
    by_event = found.by_event
    return {event: {"bare": by_event[event]["nothing"], "empty": by_event[event]["empty"], "other": by_event[event]["other"], "ratio": events.ratios(by_event[event])[0]}
            for event in HOOKED}, found.aside()


def bold(value, bar, form):
    return f"**{value:{form}}**" if value > bar else f"{value:{form}}"


def crowd_table(measured):
    def row(one):
        barred = one["idle"] + one["busy"] <= 220
        bar = {name: value if barred else float("inf") for name, value in BARS.items()}
        return (f"{one['idle']} idle, {one['busy']} busy", one["found"], f"{one['found_ms']:.0f}", bold(one["cpu"] * 100, bar["cpu"] * 100, ".2f"),
                f"{bold(one['rss_mib'], bar['rss_mib'], '.1f')} / {bold(one['rss_at_most_mib'], bar['rss_mib'], '.1f')}",
                f"{bold(one['scrape_ms'], bar['scrape_ms'], '.1f')} / {one['scrape_at_most_ms']:.1f}", f"{one['scrape_bytes'] / 1e6:.1f}")

    return figures.table(("loops", "found, others of the host included", "all found after, ms", "CPU, % of a core", "memory, MiB / at most", "a scrape, ms / at most",
                          "its text, MB"), [row(one) for one in measured])


def others_table(measured):
    rows = []
    for event, by_way in measured.items():
        ratio = by_way["ratio"]
        rows.append((events.EVENTS[event], f"{statistics.median(by_way['bare']):.0f}", figures.spread(by_way["empty"], "+.0f"), figures.spread(by_way["other"], "+.0f"),
                     "–" if ratio is None else bold(ratio, BARS["others"], ".2f")))
    return figures.table(("event of a process that is not followed", "bare, ns", "empty program, ns", "loopsnoop --all, ns", f"ratio (≤ {BARS['others']})"), rows)


def parse():
    parser = command.parser("hosts", __doc__)
    parser.add_argument("--quick", action="store_true", help="220 loops only, and short: a minute instead of five")
    parser.add_argument("--crowd", metavar="IDLE,BUSY", action="append", type=lambda text: tuple(int(word) for word in text.split(",")), help="these numbers of loops")
    parser.add_argument("--apart", action="store_true", help="follow these loops alone (--cgroup), where other programs' stalls would be in the figures")
    parser.add_argument("--no-others", action="store_true", help="not what it costs those that are not followed")
    return parser.parse_args()


def main(options):
    crowds = options.crowd or (((200, 20),) if options.quick else CROWDS)
    measured = []
    for idle, busy in crowds:
        print(f"  {idle} idle and {busy} busy loops", file=sys.stderr, flush=True)
        measured.append(measure(os.path.abspath(options.binary), idle, busy, 4 if options.quick else 10, options.apart))
    data = {"about": command.about(options, bars=BARS), "crowds": measured}
    text = crowd_table(measured)
    if not options.no_others:
        data["others"], aside = others(QUICK_ROUNDS if options.quick else 9)
        text += "\n\n" + others_table(data["others"]) + (f"\n\nThe second table: medians of all rounds{aside}." if aside else "")
    text += (f"\n\n{data['about']['loopsnoop']}, kernel {data['about']['kernel']}, {os.cpu_count()} cores, which the loops share with loopsnoop{', --cgroup instead of --all' if options.apart else ''}; bars for 220 loops: "
             f"{BARS['cpu']:.0%} of a core, {BARS['rss_mib']} MiB, {BARS['scrape_ms']} ms.{' More than ' + str(USUAL_LOOPS) + ' with --max-loops 2048.' if any(sum(crowd) > USUAL_LOOPS for crowd in crowds) else ''}")
    command.publish(options, "hosts", text, data)


if __name__ == "__main__":
    command.run(parse, main)
