# SPDX-License-Identifier: Apache-2.0
"""How far loopsnoop goes: loops and threads by the thousand, storms of stalls, what of them it reports, loses and counts, how long it
takes to attach, to read all threads, to name what was in a burst, and how much memory all that needs."""
import json
import os
import resource
import signal
import statistics
import subprocess
import sys
import threading
import time

import command
import figures
from machine import cpu_s, rss_bytes
from workloads import HERE, PROGRAMS

PATIENCE_S = 60
PYTHON = "/usr/bin/python3"
# Losses that take a whole stall with them, or may: what was made and is not reported must be among them.
OF_STALLS = ("ringbuf_full", "queue_full", "no_slot")
BARS = {"attach_ms": 300, "rss_mib": 48, "snapshot_1000_ms": 200, "burst_s": 2.0, "warm_us": 1000}


class Target:
    """A program that says "ready"; for scale_target, more."""

    def __init__(self, *command):
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline().strip() != "ready":
            self.__exit__()
            raise RuntimeError(f"{command[0]} does not come up")

    @property
    def pid(self):
        return self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def go(self, count, us, pause_ms):
        """Every loop blocks that often, for that long, with such a pause between: what the target itself counted."""
        self.process.stdin.write(f"go {count} {us} {pause_ms}\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


class Following:
    """A running loopsnoop; its JSON is read as it comes, with the time of each line."""

    def __init__(self, binary, pid, *options):
        started = time.monotonic()
        self.process = subprocess.Popen([binary, "-q", "-p", str(pid), "--json", "-", *options], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL)
        first = self.process.stdout.readline()
        if not first:
            raise RuntimeError(f"{binary} does not begin: {' '.join(options)}")
        self.attach_ms = (time.monotonic() - started) * 1000
        self.lines, self.arrivals_ns = [first], [time.monotonic_ns()]
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.arrivals_ns.append(time.monotonic_ns())
            self.lines.append(line)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.reader.join()

    def settle(self, least_s, quiet_s=0.3):
        """Until it has written nothing for a while."""
        time.sleep(least_s)
        until = time.monotonic() + PATIENCE_S
        seen = -1
        while seen != len(self.lines) and time.monotonic() < until:
            seen = len(self.lines)
            time.sleep(quiet_s)

    def own(self):
        """Its CPU time so far and its resident memory, now and at most."""
        with open(f"/proc/{self.process.pid}/status") as status:
            peak = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
        return {"cpu_s": cpu_s(self.process.pid), "rss_mib": rss_bytes(self.process.pid) / 2**20, "peak_rss_mib": peak / 2**20}

    def stop(self):
        """(records, arrivals, seconds that its end took)."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        self.process.wait(PATIENCE_S)
        self.reader.join()
        return [json.loads(line) for line in self.lines], self.arrivals_ns, time.monotonic() - began


def stalls_of(records):
    return [record for record in records if record["type"] == "stall" and record["phase"] == "ended"]


def lost_of(records):
    return {reason: count for reason, count in records[-1]["lost"].items() if count}


def named(stall):
    """Every wait's stack has its function and line, down to the thread's begin."""
    stacks = [wait["stack"] for wait in stall["waits"]]
    return bool(stacks) and all(stack and stack["native"] and stack["native"][0]["function"] and not stack.get("native_truncated") for stack in stacks)


def run(options, loops, threads, plan, *arguments):
    """One target, one loopsnoop, one plan (count, us, pause_ms): what was made, and what became of it."""
    with Target(PROGRAMS / "bench_scale_target", loops, threads) as target, Following(options.binary, target.pid, *arguments) as following:
        following.settle(0.7)
        before = following.own()
        made = target.go(*plan)
        following.settle(0.2)
        own = following.own()
        records, arrivals, leaving_s = following.stop()
    stalls = stalls_of(records)
    lost = lost_of(records)
    last_ns = max((arrival for record, arrival in zip(records, arrivals) if record["type"] == "stall"), default=made["end_ns"])
    missing = made["made"] - len(stalls)
    return {"loops": loops, "threads": loops + threads + 1, "loops_found": len({loop["tid"] for loop in records if loop["type"] == "loop"}), "made": made["made"],
            "per_s": made["made"] / ((made["end_ns"] - made["start_ns"]) / 1e9), "reported": len(stalls), "lost": lost, "named": sum(named(stall) for stall in stalls),
            "silent": max(0, missing - sum(lost.get(reason, 0) for reason in OF_STALLS)), "lag_s": (last_ns - made["end_ns"]) / 1e9, "leaving_s": leaving_s,
            "attach_ms": following.attach_ms, "cpu_us_per_stall": (own["cpu_s"] - before["cpu_s"]) * 1e6 / max(1, len(stalls)), **own}


def measure_loops(options):
    """Each loop blocks for 30 ms, a few times; that is what they all are followed for."""
    for loops in (1, 10, 100) if options.quick else (1, 10, 100, 1000):
        yield run(options, loops, 0, (5, 30000, 400), "--threshold", "20ms", *(("--max-loops", str(loops + 8)) if loops > 64 and options.max_loops else ()))


def measure_threads(options):
    """One loop among many sleeping threads: to attach, and one snapshot of every thread (loopsnoop dump)."""
    for threads in (1, 64, 1000) if options.quick else (1, 64, 1000, 4096):
        with Target(PROGRAMS / "bench_scale_target", 1, max(0, threads - 2)) as target:
            with Following(options.binary, target.pid) as following:
                following.settle(0.5)
                own = following.own()
            dumps = []
            for _ in range(3):
                started = time.monotonic()
                dump = subprocess.run([options.binary, "dump", "-p", str(target.pid), "--json"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                      stderr=subprocess.DEVNULL, check=True, timeout=PATIENCE_S)
                record = json.loads(dump.stdout.splitlines()[0])
                dumps.append({"wall_ms": (time.monotonic() - started) * 1000, "snapshot_ms": record["look_ns"] / 1e6, "threads": len(record["threads"]),
                              "with_stack": sum(bool((thread["stack"] or {}).get("native")) for thread in record["threads"])})
        yield {"threads": threads, "attach_ms": following.attach_ms, "rss_mib": own["rss_mib"], "snapshot_ms": statistics.median(one["snapshot_ms"] for one in dumps),
               "dump_ms": statistics.median(one["wall_ms"] for one in dumps), "threads_dumped": dumps[-1]["threads"], "with_stack": dumps[-1]["with_stack"]}


def measure_storms(options):
    """Loops that stall again and again, 1.1 ms each, at a threshold of 1 ms; the last is a short burst."""
    for what, loops, count in (("storm", 2, 4000), ("storm", 12, 4000), ("burst", 12, 84)) if not options.quick else (("storm", 12, 1500), ("burst", 12, 84)):
        yield {"what": what, **run(options, loops, 0, (count, 1100, 0), "--threshold", "1ms")}


def measure_python(options):
    """A CPython target: to attach, memory, and the stack of a wait, 10 handlers deep."""
    with Target(PYTHON, HERE / "scale" / "deep_stack.py", "0.2") as target:
        time.sleep(0.6)
        stacks = subprocess.run([PROGRAMS / "bench_stacks", str(target.pid), "2000"], stdout=subprocess.PIPE, check=True, text=True, timeout=PATIENCE_S)
    attaches, rss = [], 0
    for _ in range(3 if options.quick else 7):
        with Target(PYTHON, HERE / "scale" / "deep_stack.py", "1.5") as target, Following(options.binary, target.pid) as following:
            following.settle(3.0)  # a stall that goes on is inspected, threads and all
            attaches.append(following.attach_ms)
            rss = max(rss, following.own()["rss_mib"])
    return {"attach_ms": statistics.median(attaches), "rss_mib": rss, **json.loads(stacks.stdout)}


PARTS = {"python": measure_python, "storms": measure_storms, "loops": measure_loops, "threads": measure_threads}


def bold(value, bar, form):
    return f"{value:{form}}" if value <= bar else f"**{value:{form}}**"


def format_lost(lost):
    return ", ".join(f"{count} {reason}" for reason, count in sorted(lost.items()) if reason != "switch_untraced") or "none"


def loops_text(measured):
    return figures.table(("loops followed", "found", "stalls made", "reported", "lost, counted", "lost silently", "last one reported after, s", "attach, ms", "memory, MiB"),
                        [(one["loops"], one["loops_found"], one["made"], one["reported"], format_lost(one["lost"]), one["silent"], f"{one['lag_s']:.2f}",
                          bold(one["attach_ms"], BARS["attach_ms"], ".0f"), f"{one['rss_mib']:.1f}") for one in measured])


def threads_text(measured):
    return figures.table(("threads of the target", "attach, ms", "memory, MiB", "one snapshot of all threads, ms", "loopsnoop dump in all, ms", "threads with a stack"),
                        [(one["threads"], bold(one["attach_ms"], BARS["attach_ms"], ".0f"), f"{one['rss_mib']:.1f}",
                          bold(one["snapshot_ms"], BARS["snapshot_1000_ms"] if one["threads"] <= 1000 else float("inf"), ".0f"), f"{one['dump_ms']:.0f}",
                          f"{one['with_stack']}/{one['threads_dumped']}") for one in measured])


def storms_text(measured):
    return figures.table(("stalls of 1.1 ms at --threshold 1ms", "stalls/s", "reported", "with a named stack", "records lost, counted", "lost silently", "last one reported after, s",
                         "CPU a stall, µs", "memory at most, MiB"),
                        [(f"{one['what']} of {one['made']} in {one['loops']} loops", f"{one['per_s']:,.0f}", f"{one['reported']} ({one['reported'] / one['made']:.1%})",
                          f"{one['named'] / max(1, one['reported']):.1%}", format_lost(one["lost"]), one["silent"], bold(one["lag_s"], BARS["burst_s"], ".2f"),
                          f"{one['cpu_us_per_stall']:.0f}", f"{one['peak_rss_mib']:.1f}") for one in measured])


def python_text(python):
    return (f"One CPython target: attached in {bold(python['attach_ms'], BARS['attach_ms'], '.0f')} ms (at most {BARS['attach_ms']}), "
           f"{bold(python['rss_mib'], BARS['rss_mib'], '.1f')} MiB resident (at most {BARS['rss_mib']}). A stack of {python['native_frames']} native and {python['python_frames']} Python "
           f"frames unwound and named in {bold(python['warm_us'], BARS['warm_us'], '.0f')} µs (p99 {python['warm_p99_us']:.0f} µs; at most {BARS['warm_us']}), the first one of a "
           f"process in {python['first_us'] / 1000:.0f} ms.")


TEXTS = {"loops": loops_text, "threads": threads_text, "storms": storms_text, "python": python_text}


def parse():
    parser = command.parser("scale", __doc__)
    parser.add_argument("--quick", action="store_true", help="smaller numbers: a minute instead of three")
    parser.add_argument("--only", metavar="PART", action="append", choices=list(PARTS), help="this part, may be repeated: " + ", ".join(PARTS))
    return parser.parse_args()


def main(options):
    options.binary = os.path.abspath(options.binary)
    options.max_loops = "--max-loops" in subprocess.run([options.binary, "--help"], capture_output=True, text=True).stdout
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # two descriptors a loop
    data = {"about": command.about(options, bars=BARS)}
    for name, measured in PARTS.items():
        if options.only and name not in options.only:
            continue
        print(f"  {name}", file=sys.stderr, flush=True)
        result = measured(options)
        data[name] = result if isinstance(result, dict) else list(result)
    text = "\n\n".join([*(text(data[name]) for name, text in TEXTS.items() if name in data), f"{data['about']['loopsnoop']}, kernel {data['about']['kernel']}, {os.cpu_count()} cores, which the targets share with loopsnoop."])
    command.publish(options, "scale", text, data)


if __name__ == "__main__":
    command.run(parse, main)
