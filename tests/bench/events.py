# SPDX-License-Identifier: Apache-2.0
"""ns that loopsnoop adds to one event: of the followed loop thread, and of every other process; beside nothing and beside an empty
BPF program on the same hooks, which goes with threads that wake up on another core as often as loopsnoop's. Each figure has bare ones right before and after it, and what is told is the median of the differences."""
import json
import statistics
import subprocess
import sys

import command
import figures
from workloads import PROGRAMS

EVENTS = {
    "context switch in a callback": "context switch, the thread sleeps in a callback",
    "sleep in the poll call": "sleep in the loop's poll call, whole (2 switches, 2 wake-ups, 1 poll call)",
    "poll call": "poll call that does not sleep",
    "futex call": "futex call",
    "file call": "file call (openat)",
    "other system call": "any other system call",
}
WAYS = ("waking", "empty", "other", "followed")
PROGRAMS_RUN = WAYS[1:]
FOLLOWED_BAR, OTHER_BAR = 2.0, 1.3  # times the empty program


def calm(ways, index, usual):
    """Nobody else's BPF programs came, went or, where there should be none, were there."""
    before, after = ways[index]["programs"]
    return before == after and (ways[index]["way"] != "nothing" or before == usual)


def usual_programs(rounds):
    """How many BPF programs of others were loaded all the time."""
    return min(count for ways in rounds for one in ways if one["way"] == "nothing" for count in one["programs"])


def added(rounds, strict=True):
    """{event: {way: [ns more than bare, a round each]}}, and how many were left out; "control" is bare against the bare before and after it."""
    usual = usual_programs(rounds)
    found = {event: {way: [] for way in ("nothing", "control", *WAYS)} for event in EVENTS}
    left_out = 0
    for ways in rounds:
        for index, one in enumerate(ways):
            way, apart = (one["way"], 1) if one["way"] != "nothing" else ("control", 2)
            if not apart <= index < len(ways) - apart:
                continue
            if strict and not all(calm(ways, at, usual) for at in (index - apart, index, index + apart)):
                left_out += 1
                continue
            for event in EVENTS:
                bare = (ways[index - apart]["ns"][event] + ways[index + apart]["ns"][event]) / 2
                found[event][way].append(one["ns"][event] - bare)
                found[event]["nothing"].append(bare)
    if not all(by_way[way] for by_way in found.values() for way in ("control", *WAYS)):
        if not strict:
            raise RuntimeError("bench_events measured nothing")
        # Better than nothing; it is said.
        return added(rounds, strict=False)
    return found, left_out if strict else None


def ratios(by_way):
    """(others, followed) / empty; None where the empty program's own cost is lost in the noise."""
    empty = statistics.median(by_way["empty"])
    if empty <= 3 * abs(statistics.median(by_way["control"])) or empty < 5:
        return None, None
    return tuple(statistics.median(by_way[way]) / empty for way in ("other", "followed"))


def program_table(runs):
    """ns a run of each program, by the kernel's own account, beside the empty program that ran as often there."""
    rows = []
    for event, words in EVENTS.items():
        by_way = {way: [round_.get(event, {}) for round_ in runs[way]] for way in PROGRAMS_RUN}
        names = dict.fromkeys(name for way in PROGRAMS_RUN for one in by_way[way] for name, run in one.items() if run["count"] >= 10000)
        cells = []
        for name in names:
            each = {way: [one[name]["ns"] / one[name]["count"] for one in by_way[way] if name in one] for way in PROGRAMS_RUN}
            cells.append((name, *("–" if not each[way] else f"{statistics.median(each[way]):.0f}" for way in PROGRAMS_RUN)))
        rows += [(words if index == 0 else "", f"`{name}`", *ns) for index, (name, *ns) in enumerate(sorted(cells))]
    return figures.table(("event", "program, ns a run", "empty", "loopsnoop, other processes", "loopsnoop, the followed thread"), rows)


def verdict(ratio, bar):
    return "–" if ratio is None else f"{ratio:.2f}" if ratio <= bar else f"**{ratio:.2f}**"


def table(found):
    rows = []
    for event, words in EVENTS.items():
        by_way = found[event]
        other, followed = ratios(by_way)
        rows.append((words, f"{statistics.median(by_way['nothing']):.0f}", *(figures.spread(by_way[way], "+.0f") for way in ("control", *WAYS)),
                     verdict(other, OTHER_BAR), verdict(followed, FOLLOWED_BAR)))
    head = ("event", "bare, ns", "bare again", "threads that only wake up", "the same and an empty program", "loopsnoop, other processes", "loopsnoop, the followed thread", f"others / empty (≤ {OTHER_BAR})",
            f"followed / empty (≤ {FOLLOWED_BAR:g})")
    return figures.table(head, rows)


def parse():
    parser = command.parser("events", __doc__)
    parser.add_argument("--rounds", type=int, default=9, help="about 10 s each (default: 9)")
    parser.add_argument("--quick", action="store_true", help="3 rounds")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds must be 1 or more")
    return options


def main(options):
    rounds = 3 if options.quick else options.rounds
    run = subprocess.run([PROGRAMS / "events" / "bench_events", str(rounds)], stdout=subprocess.PIPE, text=True, timeout=60 + 60 * rounds)
    if run.returncode != 0:
        sys.exit("bench: bench_events failed")  # it has said why
    measured = json.loads(run.stdout)
    found, left_out = added(measured["rounds"])
    aside = " among others who load and unload BPF programs all the time: not to be relied on" if left_out is None else f", {left_out} of {6 * rounds} figures left out because somebody else loaded BPF programs meanwhile" if left_out else ""
    usual = usual_programs(measured["rounds"])
    if usual:
        aside += f", with {usual} BPF programs of others loaded all the time, whose hooks, where they are these, make bare events dearer"
    about = command.about(options, rounds=rounds)
    text = (f"{table(found)}\n\nns added to one event: median [quartiles] of {rounds} rounds{aside}; {about['loopsnoop']}, kernel {about['kernel']}. "
            "–: the empty program's own cost is within the noise.")
    ratio = {event: dict(zip(("other", "followed"), ratios(found[event]))) for event in EVENTS}
    kernels = f"\n\nBy the kernel's own account, its clock reads included (not disturbed by other programs on these hooks):\n\n{program_table(measured['runs'])}"
    command.tell(options, "events", text, {"about": about, "added_ns": found, "to_empty": ratio, **measured}, besides=kernels)


if __name__ == "__main__":
    command.run(parse, main)
