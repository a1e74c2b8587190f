# SPDX-License-Identifier: Apache-2.0
"""Whether `loopsnoop --all` runs for hours: processes come and go all the time, hundreds a minute, some of them loops, some of those
stalling, and it is scraped meanwhile. Its memory, descriptors and threads must not grow, and what is gone must be gone from the metrics."""
import os
import random
import statistics
import subprocess
import sys
import threading
import time

import command
import figures
from hosts import Crowd, Watching
from machine import rss_bytes, cpu_s

PYTHON = "/usr/bin/python3"
SAMPLE_S = 2.0
# What is used again and again settles within the first third; from then on it may grow by that much in all.
GROWTH_MIB = 6.0
LOOP = """
import asyncio, time
async def main():
    for number in range({rounds}):
        await asyncio.sleep(0.02)
        if number % 10 == 9:
            time.sleep(0.12)
asyncio.run(main())
"""
EPOLL = """
import select, time
queue = select.epoll()
for number in range({rounds}):
    queue.poll(0.02)
"""


class Churn:
    """Starts processes, `a_minute` of them, none for longer than some seconds: shells, jobs, and loops that stall now and then."""

    def __init__(self, a_minute, seed):
        self.pause_s = 60 / a_minute
        self.random = random.Random(seed)
        self.started = {"job": 0, "epoll": 0, "asyncio": 0}
        self.running = []
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()
        for process in self.running:
            process.kill()
            process.wait()

    def _run(self):
        while not self.stop.wait(self.pause_s):
            kind = self.random.choices(("job", "epoll", "asyncio"), weights=(6, 3, 1))[0]
            rounds = self.random.randint(20, 100)
            command = {
                "job": ["/bin/sh", "-c", f"sleep {rounds / 50}; true"],
                "epoll": [PYTHON, "-S", "-c", EPOLL.format(rounds=rounds)],
                "asyncio": [PYTHON, "-S", "-c", LOOP.format(rounds=rounds)],
            }[kind]
            self.running.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
            self.started[kind] += 1
            self.running = [process for process in self.running if process.poll() is None]


def sample(pid):
    return {"rss_mib": rss_bytes(pid) / 2**20, "descriptors": len(os.listdir(f"/proc/{pid}/fd")), "threads": len(os.listdir(f"/proc/{pid}/task")), "cpu_s": cpu_s(pid)}


def pids_of(text):
    return {line.partition('pid="')[2].partition('"')[0] for line in text.splitlines() if line.startswith("loopsnoop_loop_iterations_total{")}


def counted(text, name):
    return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(name))


def soak(binary, minutes, a_minute):
    samples, seen, scrapes = [], set(), 0
    until = time.monotonic() + 60 * minutes
    with Crowd(20, 4) as crowd, Watching(binary) as watching:
        pid = watching.process.pid
        watching.wait_for(24)
        with Churn(a_minute, seed=4) as churn:
            while time.monotonic() < until:
                time.sleep(SAMPLE_S)
                if watching.process.poll() is not None:
                    raise RuntimeError(f"loopsnoop has ended: {watching.process.stderr.read()[-2000:]}")
                text, _ = watching.scrape()
                scrapes += 1
                seen |= pids_of(text)
                samples.append(sample(pid))
        stayed = {str(process.pid) for process in crowd.processes}
        time.sleep(3)
        text, _ = watching.scrape()
        gone = {name for name in pids_of(text) - stayed if not os.path.exists(f"/proc/{name}")}
        lost = {line.partition('reason="')[2].partition('"')[0]: float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith("loopsnoop_lost_total{")}
        missing = stayed - pids_of(text)
    settled = samples[len(samples) // 3:]
    half = len(settled) // 2
    grown = {name: statistics.median(one[name] for one in settled[half:]) - statistics.median(one[name] for one in settled[:half]) for name in ("rss_mib", "descriptors", "threads")}
    seconds = SAMPLE_S * (len(samples) - 1)
    return {"minutes": minutes, "started": churn.started, "loops_seen": len(seen - stayed), "scrapes": scrapes, "samples": samples, "grown": grown,
            "rss_mib": statistics.median(one["rss_mib"] for one in settled), "rss_at_most_mib": max(one["rss_mib"] for one in samples),
            "cpu": (samples[-1]["cpu_s"] - samples[0]["cpu_s"]) / max(seconds, 1), "series_of_gone": sorted(gone), "missing": sorted(missing),
            "lost": {reason: count for reason, count in lost.items() if count}}


def complaints(measured):
    if measured["grown"]["rss_mib"] > GROWTH_MIB:
        yield f"memory grew by {measured['grown']['rss_mib']:.1f} MiB"
    if measured["grown"]["descriptors"] > 20:
        yield f"descriptors grew by {measured['grown']['descriptors']:.0f}"
    if measured["grown"]["threads"] > 2:
        yield f"threads grew by {measured['grown']['threads']:.0f}"
    if measured["series_of_gone"]:
        yield f"series of processes that are gone: {measured['series_of_gone']}"
    if measured["missing"]:
        yield f"loops that were there all the time have no series: {measured['missing']}"
    for reason in ("ringbuf_full", "no_slot", "no_storage", "queue_full", "life_events"):
        if measured["lost"].get(reason):
            yield f"lost: {measured['lost'][reason]:.0f} {reason}"
    # Those that polled for a second or more; a loaded machine may not start them all in time.
    if measured["loops_seen"] < 0.3 * (measured["started"]["epoll"] + measured["started"]["asyncio"]):
        yield f"of {measured['started']} only {measured['loops_seen']} loops were ever in a scrape"


def parse():
    parser = command.parser("soak", __doc__)
    parser.add_argument("--minutes", type=float, default=10, help="how long (default: 10)")
    parser.add_argument("--a-minute", type=int, default=400, help="processes started a minute (default: 400)")
    options = parser.parse_args()
    if options.minutes <= 0 or options.a_minute <= 0:
        parser.error("--minutes and --a-minute must be more than 0")
    return options


def main(options):
    measured = soak(os.path.abspath(options.binary), options.minutes, options.a_minute)
    about = command.about(options)
    row = (f"{measured['minutes']:g} min", " / ".join(str(measured["started"][kind]) for kind in ("job", "epoll", "asyncio")), measured["loops_seen"], measured["scrapes"],
           f"{measured['rss_mib']:.1f} / {measured['rss_at_most_mib']:.1f}", f"{measured['grown']['rss_mib']:+.2f}", f"{measured['grown']['descriptors']:+.0f}", f"{measured['cpu'] * 100:.2f}",
           ", ".join(f"{count:.0f} {reason}" for reason, count in measured["lost"].items()) or "nothing")
    text = figures.table(("time", "started: jobs / epoll / asyncio", "of them seen as loops", "scrapes", "memory, MiB / at most", "grew by, MiB", "descriptors grew by", "CPU, % of a core",
                          "lost"), [row]) + f"\n\n{about['loopsnoop']}, kernel {about['kernel']}; growth: between the middle and the last third."
    command.publish(options, "soak", text, {"about": about, **measured})
    found = list(complaints(measured))
    if found:
        sys.exit("bench: " + "; ".join(found))


if __name__ == "__main__":
    command.run(parse, main)
