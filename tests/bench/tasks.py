# SPDX-License-Identifier: Apache-2.0
"""What a snapshot of tasks costs, and whether it is right: `loopsnoop tasks` of a process with 10,000 tasks; a thousand snapshots of one that
makes and ends tasks as fast as it can, in which each task must stand on its own line or be reported as one that moved; and what following a
server with 10,000 connections takes. Status 1 when a snapshot is wrong, fails, or takes longer than a second in the median."""
import json
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import command
import figures
from machine import cpu_s, rss_bytes

PYTHON = "/usr/bin/python3"
MANY = """
import asyncio
async def waits(event):
    await event.wait()
async def main():
    event = asyncio.Event()
    tasks = [asyncio.create_task(waits(event), name=f"waits-{i}") for i in range(NUMBER)]
    await asyncio.sleep(0)
    print("ready", flush=True)
    late = 0
    loop = asyncio.get_running_loop()
    while True:
        before = loop.time()
        await asyncio.sleep(0.01)
        late = max(late, loop.time() - before - 0.01)
        with open("late", "w") as out:
            out.write(str(late))
asyncio.run(main())
"""
# Each task is named as its function, which says on which lines it may stand.
CHURN = """
import asyncio
async def first():
    await asyncio.sleep(0)
    await asyncio.sleep(0)
async def second():
    await asyncio.sleep(0.01)
async def third(lock):
    async with lock:
        await asyncio.sleep(0)
async def feeder(lock):
    while True:
        kinds = (first(), "first"), (second(), "second"), (third(lock), "third")
        await asyncio.gather(*[asyncio.create_task(code, name=name) for code, name in kinds])
async def main():
    lock = asyncio.Lock()
    print("ready", flush=True)
    await asyncio.gather(*[asyncio.create_task(feeder(lock), name="feeder") for _ in range(100)])
asyncio.run(main())
"""
CHURN_LINES = {"first": {4, 5}, "second": {7}, "third": {9, 10}, "feeder": {13, 14}}
SERVER = """
import asyncio
async def serve(reader, writer):
    while await reader.readline():
        writer.write(b"hello\\n")
async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.sleep(86400)
asyncio.run(main())
"""


class Target:
    def __init__(self, folder, code):
        script = Path(folder) / "target.py"
        script.write_text(code)
        self.process = subprocess.Popen([PYTHON, script], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.pid = self.process.pid
        self.said = self.process.stdout.readline().strip()
        if not self.said:
            raise RuntimeError("the target did not start")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def snapshot(binary, pid):
    """(the answer, s that it took)"""
    begun = time.monotonic()
    done = subprocess.run([binary, "tasks", "-p", str(pid), "--json"], capture_output=True, text=True, timeout=60, check=False)
    took = time.monotonic() - begun
    if done.returncode != 0:
        raise RuntimeError(f"tasks ended with status {done.returncode}: {done.stderr[-300:]}")
    return json.loads(done.stdout), took


def tasks_of(result):
    return [task for loop in result["loops"] for task in loop["tasks"]]


def many(binary, number, snapshots):
    with tempfile.TemporaryDirectory(prefix="loopsnoop-bench-") as folder, Target(folder, MANY.replace("NUMBER", str(number))) as target:
        took, counts = [], []
        for _ in range(snapshots):
            result, seconds = snapshot(binary, target.pid)
            took.append(seconds)
            counts.append(sum(task["name"].startswith("waits-") for task in tasks_of(result)))
        late = float((Path(folder) / "late").read_text())
    return {"tasks": number, "snapshots": snapshots, "median_s": statistics.median(took), "longest_s": max(took), "found_at_least": min(counts), "loop_late_at_most_s": late}


def churn(binary, snapshots):
    wrong, overtaken, known, moved, took = [], 0, 0, 0, []
    with tempfile.TemporaryDirectory(prefix="loopsnoop-bench-") as folder, Target(folder, CHURN) as target:
        for _ in range(snapshots):
            result, seconds = snapshot(binary, target.pid)
            took.append(seconds)
            overtaken += bool(result["overtaken"])
            for task in tasks_of(result):
                lines = CHURN_LINES.get(task["name"])
                at = task.get("culprit")
                if lines is None or task.get("changed") or at is None:
                    moved += lines is not None
                    continue
                known += 1
                # A task that has not begun yet stands on the line of its `def`.
                if at["line"] not in lines | {min(lines) - 1, min(lines) - 2} or not at["function"].startswith(task["name"]):
                    wrong.append(f"{task['name']} at {at['function']}:{at['line']}")
        alive = target.process.poll() is None
    return {"snapshots": snapshots, "median_s": statistics.median(took), "overtaken": overtaken, "tasks_on_their_line": known - len(wrong), "tasks_that_moved": moved, "wrong": wrong[:20],
            "target_lives": alive}


def connections(binary, number, seconds, settle):
    """Of two servers, one that nobody talks to and one with all of them: what following each takes, once that has begun."""
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if allowed < number + 100:
        raise RuntimeError(f"{number} connections need as many descriptors, and {allowed} are allowed (ulimit -Hn)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, allowed))
    result = {"connections": number, "seconds": seconds}
    for name, count in (("without", 0), ("with", number)):
        with tempfile.TemporaryDirectory(prefix="loopsnoop-bench-") as folder, Target(folder, SERVER) as target:
            port = int(target.said)
            open_ones = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(count)]
            follower = subprocess.Popen([binary, "-q", "-p", str(target.pid)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            try:
                time.sleep(settle)
                before, begun = cpu_s(follower.pid), time.monotonic()
                result[f"begins_{name}_s"] = before
                time.sleep(seconds)
                result[name] = (cpu_s(follower.pid) - before) / (time.monotonic() - begun)
                result["rss_mib"] = rss_bytes(follower.pid) / 2**20
            finally:
                follower.terminate()
                follower.wait()
                for one in open_ones:
                    one.close()
    result["cpu"] = result["with"] - result["without"]
    return result


def parse():
    parser = command.parser("tasks", __doc__)
    parser.add_argument("--tasks", type=int, default=10_000, help="tasks of the first target (default: 10000)")
    parser.add_argument("--snapshots", type=int, default=1000, help="of the one that makes tasks all the time (default: 1000)")
    parser.add_argument("--connections", type=int, default=10_000, help="of the server (default: 10000)")
    parser.add_argument("--seconds", type=int, default=120, help="for which that is followed (default: 120)")
    parser.add_argument("--settle", type=int, default=70, help="s after which that begins: the first snapshot of all tasks is over by then (default: 70)")
    options = parser.parse_args()
    if min(options.tasks, options.snapshots, options.connections, options.seconds) <= 0:
        parser.error("numbers must be more than 0")
    return options


def main(options):
    binary = os.path.abspath(options.binary)
    results = {"many": many(binary, options.tasks, 10), "churn": churn(binary, options.snapshots), "connections": connections(binary, options.connections, options.seconds, options.settle)}
    about = command.about(options)
    one, two, three = results["many"], results["churn"], results["connections"]
    text = figures.table(("what", "figure"), [
        (f"a snapshot of {one['tasks']:,} tasks: median / longest", f"{one['median_s']:.2f} / {one['longest_s']:.2f} s"),
        ("tasks found, at least", f"{one['found_at_least']:,}"),
        ("its loop late meanwhile, at most", f"{one['loop_late_at_most_s'] * 1000:.0f} ms"),
        (f"{two['snapshots']:,} snapshots while tasks are made and ended: on their line / reported as moved / wrong", f"{two['tasks_on_their_line']:,} / {two['tasks_that_moved']:,} / {len(two['wrong'])}"),
        ("snapshots that say they were overtaken", two["overtaken"]),
        (f"following a server with {three['connections']:,} connections, above one without any", f"{three['cpu'] * 100:.2f} % of a core (of {three['with'] * 100:.2f})"),
        ("CPU time until then, with them / without; memory", f"{three['begins_with_s']:.1f} / {three['begins_without_s']:.1f} s; {three['rss_mib']:.0f} MiB"),
    ])
    command.publish(options, "tasks", text + f"\n\n{about['loopsnoop']}, kernel {about['kernel']}.", {"about": about, **results})
    complaints = []
    if one["median_s"] > 1:
        complaints.append(f"a snapshot took {one['median_s']:.2f} s")
    if one["found_at_least"] < one["tasks"]:
        complaints.append(f"of {one['tasks']} tasks {one['found_at_least']} were found")
    if two["wrong"] or not two["target_lives"]:
        complaints.append(f"wrong: {two['wrong']}" if two["wrong"] else "the target has ended")
    if complaints:
        sys.exit("bench: " + "; ".join(complaints))


if __name__ == "__main__":
    command.run(parse, main)
