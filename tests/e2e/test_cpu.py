# SPDX-License-Identifier: Apache-2.0
"""Callbacks that compute: cause `cpu`, and nine samples of ten on the line that does it."""

import os
import re

import pytest

from harness import compute, match, places, pythons, snoop, target, waiting

WORK = ["tight_loop", "recursion", "json_dumps", "sorting", "regex"]


def on_line(frame, event):
    """A function that is only just entered is at its `def`: a good part of what a recursion of small steps does."""
    return compute.place(frame) in (compute.place(event), compute.place({**event, "line": event["line"] - event.get("below_def", 0)}))


def check(event, stall, scripts):
    samples = sum(part["samples"] for part in stall["cpu"])
    cpu_ns = match.part(stall, "cpu")
    off = match.part(stall, "runqueue")
    # Nothing but computing and, on a busy machine, waiting to.
    assert cpu_ns + off >= 0.9 * stall["duration_ns"], stall["breakdown"]
    assert stall["cause"] == ("cpu" if cpu_ns > off else "runqueue"), stall["breakdown"]
    # The kernel's own clock of the thread, and what of its time the stall has beside the call.
    assert cpu_ns >= event["cpu_ns"] * 0.8 - 10 * match.MS, (cpu_ns, event["cpu_ns"])
    assert samples > 0, stall
    right = 0
    for part in stall["cpu"]:
        frame = compute.application_frame(part["stack"], scripts)
        right += part["samples"] if on_line(frame, event) else 0
        assert part["stack"].get("native"), part
        # A sample each 5 ms; of a very long stall each stands for two, four, ... of them.
        assert part["ns"] % (part["samples"] * 5 * match.MS) == 0
    assert compute.place(stall["culprit"]) == compute.place(event), stall["summary"]
    return right, samples


def hold(pairs, scripts):
    counts = [check(event, stall, scripts) for event, stall in pairs]
    right, samples = sum(each[0] for each in counts), sum(each[1] for each in counts)
    assert right >= 0.9 * samples, f"{right} of {samples} samples on the line"


@pytest.mark.parametrize("work", WORK)
def test_line_that_computes(work, folder):
    pairs, _ = compute.run(target.python_loop(folder, wait=work, count=7), folder)
    if work == "recursion":
        pairs = [({**event, "below_def": 1}, stall) for event, stall in pairs]
    hold(pairs, places.PYTHON_TARGETS)


@pytest.mark.parametrize("suite", ["bullseye", "trixie"])
def test_line_that_computes_in_another_python(suite, folder):
    python = pythons.python_of(suite)
    pairs, _ = compute.run(target.python_loop(folder, wait="json_dumps", count=5, python=python), folder)
    hold(pairs, "/srv/loopsnoop-targets")


def test_samples_cover_the_computing(folder):
    """A sample each 5 ms from a quarter of the threshold on, as far as the thread had a CPU."""
    pairs, _ = compute.run(target.python_loop(folder, wait="tight_loop", count=5, more=["--ms", "400"]), folder)
    for _, stall in pairs:
        sampled = sum(part["ns"] for part in stall["cpu"])
        assert sampled <= match.part(stall, "cpu") + 20 * match.MS
        assert sampled >= 0.5 * (match.part(stall, "cpu") - 25 * match.MS), stall["breakdown"]


def test_kernel_stack_of_a_long_system_call(folder):
    pairs, _ = compute.run(target.python_loop(folder, wait="getrandom", count=5), folder)
    hold(pairs, places.PYTHON_TARGETS)
    parts = [part for _, stall in pairs for part in stall["cpu"]]
    inside = re.compile("random|chacha")
    in_kernel = sum(
        part["samples"]
        for part in parts
        if any(inside.search(frame["function"] or "") for frame in part["stack"].get("kernel", []))
    )
    samples = sum(part["samples"] for part in parts)
    for _, stall in pairs:
        assert stall["cause"] != "cpu" or "computing in the kernel, in getrandom()" in stall["summary"], stall["summary"]
    assert in_kernel >= 0.6 * samples, f"{in_kernel} of {samples} samples inside getrandom(); {os.uname().release}"


SCRIPT = """\
import asyncio
import time


def crunch():
    end = time.monotonic() + 0.2
    while time.monotonic() < end: pass


async def main():
    for _ in range(5):
        await asyncio.sleep(0.05)
        crunch()
    await asyncio.sleep(0.05)


asyncio.run(main())
"""


def test_program_that_loopsnoop_starts(folder):
    """It had no thread pointer yet when it became Python: its frames are found all the same."""
    script = folder / "started.py"
    script.write_text(SCRIPT)
    with snoop.Snoop("--", places.SYSTEM_PYTHON, script, folder=folder, json_option=("--json", folder / "json")) as snooping:
        snooping.process.wait(waiting.PATIENCE_S)
    stalls = [stall for stall in snoop.read_recording(folder / "json").stalls() if match.part(stall, "cpu") > 50 * match.MS]
    in_script = [stall for stall in stalls if any(compute.application_frame(part["stack"], script) for part in stall["cpu"])]
    assert len(in_script) >= 3, [(stall["summary"], stall["cpu"]) for stall in stalls]
    assert sum(compute.place(stall["culprit"]) == ("crunch", str(script), 7) for stall in in_script) >= 3, [s["summary"] for s in in_script]
