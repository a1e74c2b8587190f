# SPDX-License-Identifier: Apache-2.0
"""Follows hostile processes beside a healthy one, and holds loopsnoop to its bounds meanwhile."""

import re
import time

from . import places, snoop, target, waiting

MS = 1_000_000
MAX_RESIDENT_KIB = 96 * 1024
LATEST_NS = 1000 * MS  # of a record after what it is about, and of the end after Ctrl-C
MAX_LINE_BYTES = 1 << 20
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\x80-\x9f]")


class Hostile(target.Target):
    """hostile_target.c in one of its modes."""

    def __init__(self, folder, *arguments, wrapper=(), program=None):
        super().__init__([*wrapper, program or places.native("hostile"), *arguments], folder)

    def __enter__(self):
        super().__enter__()
        self.hear("ready")
        return self


class Beating(target.Target):
    """Healthy, but that it blocks for 300 ms again and again. It has done so when it is entered: its own pages are in memory by then."""

    def __init__(self, folder, program=None):
        folder.mkdir(exist_ok=True)
        super().__init__([program or places.native("light"), "beats"], folder)

    def __enter__(self):
        super().__enter__()
        self.hear("ready")
        self.go()
        time.sleep(0.8)
        return self


def peak_kib(pid):
    return next(int(line.split()[1]) for line in waiting.proc(pid, "status").splitlines() if line.startswith("VmHWM"))


def follow(folder, *arguments, seconds=4, all_of_them=False, max_resident_kib=MAX_RESIDENT_KIB):
    """Follows for so long; the recording. `arguments`: -p of the hostile ones."""
    with Beating(folder / "healthy") as healthy:
        named = ("--all",) if all_of_them else (*arguments, "-p", healthy.pid)
        with snoop.Snoop(*named, "--hang-after", "400ms", folder=folder) as snooping:
            snooping.session()
            time.sleep(seconds)
            peak = peak_kib(snooping.process.pid)
            delay_ns = snooping.delay_ns() # of a busy machine
            before_ns = time.monotonic_ns()
            snooping.interrupt()
            snooping.process.wait(waiting.PATIENCE_S)
            took_ns = time.monotonic_ns() - before_ns  # before what it wrote is held against the schema
            recording = snooping.finish()
            text = snooping.text()
            arrivals_ns = snooping.arrivals_ns
    late_ns = [
        arrivals_ns[index] - record["start_ns"] - record["duration_ns"]
        for index, record in enumerate(recording.records)
        if record["type"] == "stall" and record["phase"] == "ended" and record["pid"] == healthy.pid
    ]
    assert len(late_ns) >= seconds, f"{len(late_ns)} stalls of the healthy one were reported"
    assert max(late_ns) < LATEST_NS + delay_ns, f"{max(late_ns) / MS:.0f} ms late"
    assert took_ns < LATEST_NS + delay_ns, f"it ended after {took_ns / MS:.0f} ms"
    assert peak < max_resident_kib, f"{peak} KiB"
    assert not CONTROL.search(text), repr(CONTROL.search(text))
    assert max(len(str(record)) for record in recording.records) < 2 * MAX_LINE_BYTES
    return recording
