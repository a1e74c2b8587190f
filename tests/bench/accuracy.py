# SPDX-License-Identifier: Apache-2.0
"""How right loopsnoop is: what it finds of stalls that targets make and write down themselves, what it reports that was none, how far off
its durations are, and whether it names the right cause, line, resource and a whole stack; on a machine with nothing else to do and on
one with all cores saturated."""
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import command
import figures

MS = 1_000_000
# Where events block: kernel side, both ways of the interpreter, and callbacks that compute.
NATIVE = "nanosleep pipe_read recv mutex flock waitpid".split()
PYTHON = "time_sleep recv fifo_read lock_held_by_thread".split()
COMPUTING = {"native": ["compute"], "python": ["tight_loop"]}
# Around the threshold and well above it, none so near that either way would be right.
DURATIONS_MS = {1: (2, 4, 3, 7, 2, 5), 5: (6, 2, 9, 14, 3, 7), 20: (24, 9, 31, 52, 13, 27), 100: (120, 40, 157, 260, 60, 133)}


@dataclass
class Tally:
    """Of one threshold, one state of the machine, and one kind: waiting or computing."""

    events: int = 0  # at least the threshold long by their own account
    found: int = 0
    short: int = 0  # below it
    minor: int = 0  # found; less than half of their callback, of which something else may have taken more: judged by their times alone
    right: dict = field(default_factory=lambda: {"cause": [0, 0], "culprit": [0, 0], "resource": [0, 0], "stack": [0, 0]})  # of how many that could be
    iteration_error_ms: list = field(default_factory=list)
    wait_error_ms: list = field(default_factory=list)
    wrong: list = field(default_factory=list)

    def judge(self, what, right, why=""):
        self.right[what][0] += bool(right)
        self.right[what][1] += 1
        if not right:
            self.wrong.append(f"{what}: {why}")


def judged(check, *arguments):
    """(True, "") or (False, why), of a check of the tests' harness, which raises."""
    from harness import match

    try:
        check(*arguments)
    except match.Wrong as wrong:
        return False, str(wrong)[:300]
    return True, ""


def stack_is_whole(event, stack, python):
    from harness import match

    match.check_native(stack)
    if stack.get("native_truncated"):
        raise match.Wrong(f"{match.show(event)}: the native stack is cut")
    outermost = (stack.get("python") or [{}])[-1].get("function") or ""
    if python and not outermost.endswith(("main", "<module>", "_bootstrap")):
        raise match.Wrong(f"{match.show(event)}: the Python stack ends at {outermost!r}")


def judge_event(tally, event, stall, python):
    from harness import match

    off = stall["duration_ns"] - (event["callback_end_ns"] - event["callback_start_ns"])
    # It begins with the wake-up and ends with the poll call; the target's clock reads lie inside. What it waited for a CPU there is no error.
    tally.iteration_error_ms.append((off - min(max(off, 0), match.part(stall, "runqueue"))) / MS)
    if (event["end_ns"] - event["start_ns"]) * 2 < event["callback_end_ns"] - event["callback_start_ns"]:
        tally.minor += 1
        return
    tally.judge("cause", *judged(match.check_cause, event, stall))
    by_event = stall["cause"] in match.causes_of(event)  # where the CPU was what it waited for, that is another story
    if by_event:
        # Of C that computes the line may be one of a function that the compiler has put there.
        right = match.same_place(stall["culprit"], event) or (event["cause"] == "cpu" and not python and (stall["culprit"] or {}).get("function") == event["function"])
        tally.judge("culprit", right, f"{match.show(event)}: {stall['culprit']}")
    if event["cause"] == "cpu":
        stack = max(stall["cpu"], key=lambda part: part["samples"], default={"stack": None})["stack"]
    else:
        try:
            wait = match.main_wait(event, stall)
        except match.Wrong as wrong:
            for what in ("resource", "stack"):
                tally.judge(what, False, str(wrong)[:300])
            return
        if event["pieces"] == 1:
            tally.wait_error_ms.append((wait["duration_ns"] - (event["end_ns"] - event["start_ns"] - event["cpu_ns"])) / MS)
        if event["resource"] is not None:
            difference = match.differing(event["resource"], wait["resource"])
            tally.judge("resource", difference is None, f"{match.show(event)}: {difference}")
        stack = wait["stack"]
    tally.judge("stack", *(judged(stack_is_whole, event, stack, python) if stack else (False, f"{match.show(event)}: none")))


def judge_target(tallies, events, stalls, threshold_ns, python):
    """The ids of the stalls that are its events'."""
    from harness import match

    matched = set()
    for event in events:
        tally = tallies["computing" if event["cause"] == "cpu" else "waiting"]
        length = event["callback_end_ns"] - event["callback_start_ns"]
        stall = next((one for one in stalls if one["tid"] == event["tid"] and one["start_ns"] <= event["start_ns"] + match.TOLERANCE_NS
                      and match.end_of(one) >= event["end_ns"] - match.TOLERANCE_NS), None)
        if stall is not None:
            matched.add(id(stall))
        if length < threshold_ns:
            tally.short += 1
            continue
        tally.events += 1
        if stall is None:
            tally.wrong.append(f"not reported: {match.show(event)}")
            continue
        tally.found += 1
        judge_event(tally, event, stall, python)
    return matched


@contextlib.contextmanager
def saturated(wanted):
    from harness import places

    running = [subprocess.Popen([places.native("spinner")], stdout=subprocess.DEVNULL) for _ in range(2 * (os.cpu_count() or 1) if wanted else 0)]
    try:
        yield
    finally:
        for one in running:
            one.kill()
            one.wait()


def targets(folder, threshold, count):
    """(target, whether it is Python), not yet started."""
    from harness import target

    more = ["--ms", ",".join(str(ms) for ms in DURATIONS_MS[threshold])]
    for python, make, waits in ((False, target.native_loop, NATIVE + COMPUTING["native"]), (True, target.python_loop, PYTHON + COMPUTING["python"])):
        for wait in waits:
            own = folder / f"{'python' if python else 'native'}-{wait}"
            own.mkdir()
            yield make(own, wait=wait, count=count, more=more), python


def measure(threshold, busy, count, folder):
    """One loopsnoop follows all targets; they block one after the other."""
    from harness import match, snoop

    tallies = {"waiting": Tally(), "computing": Tally()}
    with contextlib.ExitStack() as stack:
        running = [(stack.enter_context(one), python) for one, python in targets(folder, threshold, count)]
        for one, _ in running:
            one.hear("ready")
        pids = [word for one, _ in running for word in ("-p", one.pid)]
        with snoop.Snoop(*pids, "--threshold", f"{threshold}ms", folder=folder) as snooping:
            snooping.session()
            time.sleep(0.5)  # it reads their symbols
            with saturated(busy):
                for one, _ in running:
                    one.go()
                    one.hear("done")
            recording = snooping.stop()
        for one, _ in running:
            one.end()
        stalls = recording.stalls()
        matched = set()
        for one, python in running:
            matched |= judge_target(tallies, one.events(), stalls, threshold * MS, python)
    others = [stall for stall in stalls if id(stall) not in matched and stall["truncated"] is None]
    # An iteration that ran or was ready to run for so long is a stall, made by the machine or by the target's own bookkeeping.
    false = [stall for stall in others if stall["duration_ns"] - match.part(stall, "runqueue", "cpu") >= threshold * MS]
    reports = [f"{stall['pid']} {stall['cause']} {stall['duration_ns']} ns at {stall['start_ns']}: {stall['summary']}"[:300] for stall in false]
    return {"threshold_ms": threshold, "machine": "saturated" if busy else "idle", "stalls": len(stalls), "false_reports": len(false), "false": reports,
            "own_making": len(others) - len(false), "lost": recording.lost(), **{kind: vars(tally) for kind, tally in tallies.items()}}


def share(right):
    """Cut, not rounded: what is not all is not 100 %."""
    good, of = right
    if of == 0:
        return "–"
    return f"all {of}" if good == of else f"{good * 1000 // of / 10:g} % ({good}/{of})"


def errors(values):
    """Median, p99 and worst, in ms; signed median, sizes of the rest."""
    if not values:
        return "–"
    sizes = sorted(abs(value) for value in values)
    return f"{statistics.median(values):+.3f} / {sizes[min(len(sizes) - 1, int(len(sizes) * 0.99))]:.2f} / {sizes[-1]:.2f}"


def table(results):
    rows = []
    for one in results:
        for kind in ("waiting", "computing"):
            tally = one[kind]
            rows.append((f"{one['threshold_ms']} ms", one["machine"], kind, share((tally["found"], tally["events"])), one["false_reports"] if kind == "waiting" else "",
                         share(tally["right"]["cause"]), share(tally["right"]["culprit"]), share(tally["right"]["resource"]), share(tally["right"]["stack"]),
                         errors(tally["iteration_error_ms"]), errors(tally["wait_error_ms"])))
    head = ("threshold", "machine", "loops blocked by", "found", "false reports", "cause right", "line right", "resource right", "stack whole",
            "duration off by, but for the run queue, ms: median / p99 / worst", "the wait alone off by")
    return figures.table(head, rows)


def parse():
    parser = command.parser("accuracy", __doc__)
    parser.add_argument("--quick", action="store_true", help="6 events a target instead of 24: two minutes instead of eight")
    parser.add_argument("--threshold", metavar="MS", type=int, action="append", choices=sorted(DURATIONS_MS), help="this one, may be repeated: 1, 5, 20, 100 (default: all)")
    parser.add_argument("--count", type=int, help="events a target")
    parser.add_argument("--wrong", action="store_true", help="prints what was not right, too")
    options = parser.parse_args()
    if options.count is not None and options.count < 1:
        parser.error("--count must be 1 or more")
    return options


def main(options):
    os.environ["LOOPSNOOP_BIN"] = os.path.abspath(options.binary)
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
    count = options.count or (6 if options.quick else 24)
    results = []
    for threshold in sorted(options.threshold or DURATIONS_MS, reverse=True):
        for busy in (False, True):
            with tempfile.TemporaryDirectory(prefix="loopsnoop-accuracy.") as folder:
                os.chmod(folder, 0o755)
                results.append(measure(threshold, busy, count, Path(folder)))
            one = results[-1]
            print(f"  {threshold} ms, {one['machine']}: {one['waiting']['found'] + one['computing']['found']} of {one['waiting']['events'] + one['computing']['events']} found, "
                  f"{one['false_reports']} false", file=sys.stderr, flush=True)
            if options.wrong:
                for line in one["waiting"]["wrong"] + one["computing"]["wrong"] + one["false"]:
                    print(f"    {line}", file=sys.stderr)
    about = command.about(options, events_a_target=count)
    minor = sum(one[kind]["minor"] for one in results for kind in ("waiting", "computing"))
    lost = {reason: sum(one["lost"].get(reason, 0) for one in results) for one in results for reason in one["lost"]}
    text = (f"{table(results)}\n\n{len(NATIVE) + len(PYTHON) + 2} programs, C and CPython, that block in known ways and log the truth, {count} times each, all followed by one "
            f"loopsnoop. Saturated: two computing processes a core. {sum(one['own_making'] for one in results)} further reports were of iterations that computed or waited for a CPU "
            f"that long outside of what the programs log. {minor} events were less than half of their callback (a lock was taken from its holder late, say): only their times are judged. Losses: {', '.join(f'{number} {reason}' for reason, number in sorted(lost.items())) or 'none'}; "
            f"{about['loopsnoop']}, kernel {about['kernel']}.")
    command.publish(options, "accuracy", text, {"about": about, "results": results})


if __name__ == "__main__":
    command.run(parse, main)
