# SPDX-License-Identifier: Apache-2.0
"""Holds loopsnoop's stalls against the truth of a target.

Tolerances: the budget for a wait's duration is 1 ms. What the scheduler may add to it is measured on its own side: the target logs
the CPU time of its blocking call, and the harness reads the thread's run delay from /proc, so that no bound depends on how busy the
machine is.
"""

import dataclasses
import os
from typing import Optional

MS = 1_000_000
# An emulated CPU (test_kernels.py) takes tens of times as long for what lies between two clocks that are compared.
SLOWER = 20 if os.environ.get("LOOPSNOOP_EMULATED") == "1" else 1
TOLERANCE_NS = MS * SLOWER
WAKE_LATENCY_NS = 100_000  # of an idle CPU in a virtual machine, generously
STEAL_RESOLUTION_NS = 10 * MS  # stolen time is counted in ticks of each CPU
# Between two clock reads of a target and the poll calls around them: Python code, one line of truth.
AROUND_NS = 5 * MS * SLOWER
THREAD_ENDS = ("_start", "clone", "clone3", "__clone", "__clone3", "thread_start", "start_thread", "__libc_start_call_main")


class Wrong(AssertionError):
    pass


@dataclasses.dataclass
class Expectation:
    """What the truth of a target cannot know."""

    python: bool = False
    check_culprit: bool = True
    check_stacks: bool = True
    # Of the loops' threads in all, stolen time included: bounds what may be blamed on the run queue. None: not known.
    run_delay_ns: Optional[int] = None
    # Switches that the kernel did not trace, by the recording itself: where one of them ended a wait, what the thread computed until
    # its next system call passes for a part of it.
    untraced: int = 0
    # What the hypervisor took, by the recording itself. From a running thread it takes time that the kernel's switches show as
    # computing, and that the thread's own CPU clock leaves out.
    stolen_ns: int = 0

    def may_be_stolen_ns(self):
        return self.stolen_ns and self.stolen_ns + STEAL_RESOLUTION_NS * (os.cpu_count() or 1)


def show(event):
    return f"event of {(event['end_ns'] - event['start_ns']) / MS:.3f} ms at {event['start_ns']} in {event['function']}"


def part(stall, *causes):
    return sum(stall["breakdown"].get(cause, {"ns": 0})["ns"] for cause in causes)


def end_of(stall):
    return stall["start_ns"] + stall["duration_ns"]


def stall_of(event, stalls):
    """The stall that holds the event; None when there is none."""
    holding = [
        stall
        for stall in stalls
        if stall["tid"] == event["tid"]
        and stall["start_ns"] <= event["start_ns"] + TOLERANCE_NS
        and end_of(stall) >= event["end_ns"] - TOLERANCE_NS
    ]
    if len(holding) > 1:
        raise Wrong(f"{show(event)} is in {len(holding)} stalls")
    return holding[0] if holding else None


def check_interval(event, stall):
    """No idle time in it: it begins and ends with the callback, but for the run queue and the loop's own computing."""
    slack = AROUND_NS + part(stall, "runqueue", "cpu")
    if stall["start_ns"] < event["callback_start_ns"] - slack:
        raise Wrong(f"{show(event)}: the stall begins {(event['callback_start_ns'] - stall['start_ns']) / MS:.3f} ms before the callback")
    if end_of(stall) > event["callback_end_ns"] + slack:
        raise Wrong(f"{show(event)}: the stall ends {(end_of(stall) - event['callback_end_ns']) / MS:.3f} ms after the callback")


def causes_of(event):
    return event["cause"].split("|")


def main_wait(event, stall):
    """The entry of `waits` that is the event's; waits inside the event by its cause, the longest."""
    inside = [
        wait
        for wait in stall["waits"]
        if wait["cause"] in causes_of(event)
        and wait["start_ns"] >= event["start_ns"] - TOLERANCE_NS
        and wait["start_ns"] + wait["duration_ns"] <= event["end_ns"] + TOLERANCE_NS
    ]
    if not inside:
        had = [(wait["cause"], wait["syscall"], wait["duration_ns"]) for wait in stall["waits"]]
        raise Wrong(f"{show(event)}: no wait by {event['cause']} among {had}")
    # Of many short ones not every stack is captured: that is bounded, and the event's line is in those that are.
    return max(inside, key=lambda wait: (event["pieces"] != 1 and wait["stack"] is not None, wait["duration_ns"]))


def check_duration(event, stall, wait, expected):
    """Off-CPU time as the kernel's own account of CPU time has it."""
    stolen = expected.may_be_stolen_ns()
    off_cpu = event["end_ns"] - event["start_ns"] - event["cpu_ns"]
    # Whoever wakes up inside Python code wants the interpreter's lock first.
    run_queue = part(stall, "runqueue", "gil")
    if event["pieces"] == 1:
        got = wait["duration_ns"]
        computed = event["cpu_ns"] if expected.untraced else 0
        # A database client may wait for a round trip before: short, but for a machine that is busy. Where such a wait left no record
        # of its own, the account has more waits than there are records.
        same = [each for each in stall["waits"] if each["cause"] in causes_of(event)]
        counted = sum(stall["breakdown"].get(cause, {"count": 0})["count"] for cause in causes_of(event))
        others = sum(
            each["duration_ns"]
            for each in same
            if each is not wait and event["start_ns"] - TOLERANCE_NS <= each["start_ns"] <= event["end_ns"]
        )
        if counted > len(same):
            others += part(stall, *causes_of(event)) - sum(each["duration_ns"] for each in same)
        others = max(0, min(others, off_cpu // 20))
        if not off_cpu - TOLERANCE_NS - run_queue - stolen - others <= got <= off_cpu + TOLERANCE_NS + computed:
            raise Wrong(f"{show(event)}: the wait has {got} ns, the target was off CPU for {off_cpu} ns (run queue {run_queue})")
        return
    # Many pieces: the account is what counts; 15 % for what else the call may have waited for, and for interrupts served on the
    # thread's time: its CPU clock leaves them out, switches do not.
    got = part(stall, *causes_of(event))
    slack = TOLERANCE_NS + off_cpu * 3 // 20 + run_queue
    around = event["callback_end_ns"] - event["callback_start_ns"] - (event["end_ns"] - event["start_ns"])
    if not off_cpu - slack - stolen <= got <= off_cpu + AROUND_NS + around:
        raise Wrong(f"{show(event)}: {event['cause']} has {got} ns of the account, the target was off CPU for {off_cpu} ns")


def check_cause(event, stall, expected=Expectation()):
    wanted = list(causes_of(event))
    whole = event["end_ns"] - event["start_ns"]
    run_queue = part(stall, "runqueue")
    computing = event["cpu_ns"] + expected.may_be_stolen_ns()
    asleep = whole - computing - run_queue  # by the target's own account, as far as it has one
    # A fast disk, a busy machine: the call computes, or queues for a CPU, about as long as it sleeps.
    if computing * 3 > whole or computing * 4 > asleep * 3:
        wanted.append("cpu")
    if run_queue * 3 > stall["duration_ns"] or run_queue * 4 > asleep * 3:
        wanted.append("runqueue")
    if stall["cause"] not in wanted:
        raise Wrong(f"{show(event)}: cause {stall['cause']}, not {event['cause']}: {stall['breakdown']}")


def differing(wanted, got, place="resource"):
    """The first place where `got` is not as `wanted` says; None when all that is wanted is there."""
    if isinstance(wanted, dict):
        if not isinstance(got, dict):
            return f"{place} is {got!r}, not {wanted!r}"
        for key, value in wanted.items():
            if key not in got:
                if key == "holder":
                    continue  # see below
                return f"{place} has no {key}"
            if key == "requested_ns":
                # An absolute deadline was computed a moment before the call.
                if got[key] is None or not value - 2 * MS <= got[key] <= value + MS:
                    return f"{place}.{key} is {got[key]}, not {value}"
                continue
            if (key == "holder" and got[key] is None) or (key == "lock" and got[key] == "unknown"):
                continue  # not found out is no mistake; a wrong guess is
            difference = differing(value, got[key], f"{place}.{key}")
            if difference:
                return difference
        return None
    if isinstance(wanted, list):
        if not isinstance(got, list) or len(got) != len(wanted):
            return f"{place} is {got!r}, not {wanted!r}"
        return next(filter(None, (differing(one, other, f"{place}[]") for one, other in zip(wanted, got))), None)
    return None if wanted == got else f"{place} is {got!r}, not {wanted!r}"


def same_place(frame, wanted):
    return frame is not None and (frame["function"], frame["file"], frame["line"]) == (
        wanted["function"],
        wanted["file"],
        wanted["line"],
    )


def check_native(stack):
    native = stack.get("native", [])
    if not native:
        raise Wrong("no native stack")
    last = native[-1]
    names = [frame["function"] for frame in native[-3:] if frame["function"]]
    reached = any(name.split("@")[0] in THREAD_ENDS or name.startswith("__libc_start") for name in names)
    # Threads begin in libc's clone3, whose name a stripped libc does not export.
    thread_of_stripped_libc = last["function"] is None and "libc.so" in (last["module"] or "")
    if not reached and not thread_of_stripped_libc:
        raise Wrong(f"the native stack does not reach _start or clone: {names} ({len(native)} frames, the last {last})")


def check_stack(event, wait, python):
    stack = wait["stack"]
    if stack is None:
        raise Wrong(f"{show(event)}: the wait has no stack")
    check_native(stack)
    if not python:
        if not any(same_place(frame, event) for frame in stack["native"]):
            raise Wrong(f"{show(event)}: line {event['line']} is not in {[(f['function'], f['line']) for f in stack['native']]}")
        return
    frames = stack.get("python", [])
    place = [index for index, frame in enumerate(frames) if same_place(frame, event)]
    if not place:
        raise Wrong(f"{show(event)}: {event['file']}:{event['line']} is not in {frames[:8]}")
    inner = [frame["function"].rpartition(".")[2] for frame in frames[: place[0]]]
    remaining = list(event.get("through", ()))
    for name in reversed(inner):  # outermost first, as `through` is
        if remaining and name == remaining[0]:
            remaining.pop(0)
    if remaining:
        raise Wrong(f"{show(event)}: {remaining} not between the culprit and the call: {inner}")
    caller = event.get("caller")
    if caller and not any(same_place(frame, caller) for frame in frames[place[0] :]):
        raise Wrong(f"{show(event)}: {caller} does not stand behind it: {frames}")
    outer = [frame["function"] for frame in frames[place[0] :]]
    if not any(name.endswith("follow_plan") for name in outer if name) or not (outer[-1] or "").endswith(("main", "<module>", "_bootstrap")):
        raise Wrong(f"{show(event)}: the stack does not go back to main: {outer}")


def check_event(event, stall, expected):
    if stall["truncated"] is not None:
        raise Wrong(f"{show(event)}: truncated {stall['truncated']}")
    check_interval(event, stall)
    check_cause(event, stall, expected)
    wait = main_wait(event, stall)
    check_duration(event, stall, wait, expected)
    if wait["syscall"] not in event["syscalls"]:
        raise Wrong(f"{show(event)}: system call {wait['syscall']}, not one of {event['syscalls']}")
    if event["resource"] is not None:
        difference = differing(event["resource"], wait["resource"])
        if difference:
            raise Wrong(f"{show(event)}: {difference}")
    # An iteration that waited for a CPU for longer has its culprit where that was.
    by_event = stall["cause"] in causes_of(event)
    if expected.check_culprit and by_event and not same_place(stall["culprit"], event):
        raise Wrong(f"{show(event)}: culprit {stall['culprit']}, not {event['file']}:{event['line']}")
    if expected.check_stacks:
        check_stack(event, wait, expected.python)
    return wait


def check_others(matched, stalls, threshold_ns):
    """A stall without an event is one only if the run queue made it so."""
    for stall in stalls:
        if id(stall) not in matched and stall["duration_ns"] - part(stall, "runqueue", "cpu") >= threshold_ns:
            raise Wrong(f"a stall without an event: {stall['cause']} {stall['duration_ns']} ns at {stall['start_ns']}: {stall['summary']}")


def check_run_queue(stalls, run_delay_ns):
    """What is blamed on the run queue, the kernel's own account agrees with."""
    blamed = sum(part(stall, "runqueue") for stall in stalls)
    # The kernel counts from the moment a thread is queued, loopsnoop from its wake-up: an idle CPU that has to be woken lies between.
    wakes = sum(part["count"] for stall in stalls for cause, part in stall["breakdown"].items() if cause == "runqueue")
    slack = TOLERANCE_NS * (1 + len(stalls)) + WAKE_LATENCY_NS * wakes + STEAL_RESOLUTION_NS * (os.cpu_count() or 1)
    if run_delay_ns is not None and blamed > run_delay_ns + slack:
        raise Wrong(f"{blamed} ns of the stalls are blamed on the run queue; the threads waited {run_delay_ns} ns there")


def check_kernel_stacks(waits, untraced):
    """Waits that turned out long have a kernel stack, but for those whose end the kernel did not trace: these are counted."""
    without = [
        f"{show(event)}: {wait['stack'].get('kernel')}"
        for event, wait in waits
        if event["pieces"] == 1 and not any(frame["function"] for frame in wait["stack"].get("kernel", []))
    ]
    if len(without) > untraced:
        raise Wrong(f"no kernel stack with symbols: {without}")


def hold(events, recording, expected=None):
    """Every event over the threshold is found and rightly reported, and nothing else is."""
    expected = dataclasses.replace(
        expected or Expectation(), untraced=recording.lost().get("switch_untraced", 0), stolen_ns=recording.stolen_ns
    )
    threshold_ns = recording.session["threshold_ns"]
    stalls = recording.stalls()
    matched = set()
    waits = []
    for event in events:
        stall = stall_of(event, stalls)
        if event["end_ns"] - event["start_ns"] >= threshold_ns + TOLERANCE_NS:
            if stall is None:
                near = [(s["start_ns"], s["duration_ns"], s["tid"]) for s in stalls if abs(s["start_ns"] - event["start_ns"]) < 300 * MS]
                raise Wrong(f"{show(event)} was not reported; stalls near it: {near}")
            if id(stall) in matched:
                raise Wrong(f"{show(event)} shares its stall with another event")
            waits.append((event, check_event(event, stall, expected)))
            matched.add(id(stall))
        elif stall is not None and event["callback_end_ns"] - event["callback_start_ns"] >= threshold_ns - TOLERANCE_NS:
            matched.add(id(stall))  # near the threshold: either way is right
    if expected.check_stacks:
        check_kernel_stacks(waits, expected.untraced)
    check_others(matched, stalls, threshold_ns)
    check_run_queue(stalls, expected.run_delay_ns)
