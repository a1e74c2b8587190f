# SPDX-License-Identifier: Apache-2.0
"""Incidents 1 to 3 as other tools show them: on the same machine, in the same run, one after the other, next to loopsnoop. Writes
what each printed to a file of its own. Called by scripts/gallery.

Usage: compare.py LOOPSNOOP FOLDER
"""
import contextlib
import importlib
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from stages import scene

BENCH = scene.FOLDER.parent / "bench"
SECONDS = 6
# perf and bpftrace want tracefs, which need not be mounted: it is, for them alone, in a mount namespace of their own.
WITH_TRACEFS = [
    "unshare", "-m", "--propagation", "private", "sh", "-c",
    'mount -t tracefs none /sys/kernel/tracing 2>/dev/null; mount -t debugfs none /sys/kernel/debug 2>/dev/null; exec "$@"', "tool",
]  # fmt: skip


def tools(loopsnoop, pid):
    """Name, command; each runs until SIGINT."""
    yield "loopsnoop", [loopsnoop, "-p", str(pid)]
    yield "bpftrace-offcpu", [*WITH_TRACEFS, "bpftrace", str(BENCH / "offcpu.bt"), str(pid)]
    yield "perf-trace", [*WITH_TRACEFS, "perf", "trace", "-s", "-p", str(pid)]
    yield "strace", ["strace", "-c", "-f", "-p", str(pid)]


def watch(command, path):
    with open(path, "wb") as file:
        running = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT)
        time.sleep(SECONDS)
        running.send_signal(signal.SIGINT)
        try:
            running.wait(40)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()
            file.write(b"(did not end within 40 s)\n")
    print(f"    {path.name}: exit status {running.returncode}, {path.stat().st_size} bytes", flush=True)


def main():
    loopsnoop, results = sys.argv[1], pathlib.Path(sys.argv[2])
    results.mkdir(parents=True, exist_ok=True)
    for number, stage, settings in ((1, "middleware", {}), (2, "pool", {}), (3, "logs", {"shape": "pipe"})):
        print(f"Incident {number} ({stage}):", flush=True)
        folder = pathlib.Path(tempfile.mkdtemp(prefix="loopsnoop-gallery."))
        folder.chmod(0o755)
        try:
            with importlib.import_module(f"stages.{stage}").stage(folder, "broken", **settings) as running:
                running.begin()
                time.sleep(1 if stage == "middleware" else 5)  # until it is broken
                for name, command in tools(loopsnoop, running.pid):
                    watch(command, results / f"{number}-{name}.txt")
        finally:
            with contextlib.suppress(OSError):
                shutil.rmtree(folder)


if __name__ == "__main__":
    main()
