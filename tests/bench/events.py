# SPDX-License-Identifier: Apache-2.0
"""ns that loopsnoop adds to one event: of the followed loop thread, and of every other process; beside nothing and beside an empty
BPF program on the same hooks, which goes with threads that wake up on another core as often as loopsnoop's. Each figure has bare
ones right before and after it, and the figure is the median of the differences. Where neighbours share the core, a virtual CPU is
slower by a third or more for seconds or minutes on end: what was measured meanwhile does not count, by a gauge that has no part in
what is measured, and times are at the clock rate that it had at its quickest. Rounds go on until there is enough."""
import json
import statistics
import subprocess

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
QUICK = 1.15  # times what the quickest tenth of the gauges took: the same core beside a busy neighbour is at 1.4 and more
LEAST_KEPT, ENOUGH = 3, 7  # figures of each way and event
BATCH, MAX_TIMES = 3, 4  # rounds that bench_events makes at once; how many times as many as asked, at most


def usual_programs(rounds):
    """How many BPF programs of others were loaded all the time."""
    return min(count for ways in rounds for one in ways if one["way"] == "nothing" for count in one["programs"])


class Added:
    """by_event: {event: {way: [ns more than bare, a figure each]}}; "control" is bare against the bare before and after it, "nothing" is
    bare itself. Only figures that nobody disturbed count, as far as there are any of each way: `alone` without BPF programs of others,
    `quick` on a core at its own speed. `of` and `kept`: how many figures there were, and how many count."""

    def __init__(self, rounds):
        self.figures = [one for ways in rounds for one in ways]
        self.usual = usual_programs(rounds)
        self.own_ns = statistics.quantiles([one["gauge_ns"] for one in self.figures] * 2, n=10, method="inclusive")[0]
        self.alone = self.quick = True
        self._collect()
        for wish, least in (("quick", LEAST_KEPT), ("alone", 1)):
            if self._fewest() < least:
                setattr(self, wish, False)
                self._collect()
        if not self._fewest():
            raise RuntimeError("bench_events measured nothing")

    def enough(self):
        return self.quick and self.alone and self._fewest() >= ENOUGH

    def _fewest(self):
        return min(len(by_way[way]) for by_way in self.by_event.values() for way in ("control", *WAYS))

    def _counts(self, one):
        before, after = one["programs"]
        alone = before == after and (one["way"] != "nothing" or before == self.usual)
        return (alone or not self.alone) and (not self.quick or (one["gauge_ns"] <= QUICK * self.own_ns and not one["strayed"]))

    def _ns(self, one, event):
        return one["ns"][event] * self.own_ns / one["gauge_ns"]

    def _collect(self):
        self.by_event = {event: {way: [] for way in ("nothing", "control", *WAYS)} for event in EVENTS}
        bare = [at for at, one in enumerate(self.figures) if one["way"] == "nothing" and self._counts(one)]
        self.of, self.kept = len(self.figures), 0
        for at, one in enumerate(self.figures):
            if not self._counts(one):
                continue
            self.kept += 1
            around = [[other for other in bare if other < at][-1:], [other for other in bare if other > at][:1]]
            if not all(around):
                continue
            way = "control" if one["way"] == "nothing" else one["way"]
            for event in EVENTS:
                before, after = (self._ns(self.figures[other], event) for (other,) in around)
                self.by_event[event][way].append(self._ns(one, event) - (before + after) / 2)
                self.by_event[event]["nothing"].append((before + after) / 2)

    def aside(self):
        """What was left out, in words."""
        out = self.of - self.kept
        if not self.alone:
            return " among others who load and unload BPF programs all the time: not to be relied on"
        if not self.quick:
            return " on a core whose speed strayed all the time" + (f", {out} of {self.of} measurements left out because somebody else loaded BPF programs meanwhile" if out else "")
        return f", {out} of {self.of} measurements left out because a neighbour slowed the core down or somebody else loaded BPF programs meanwhile" if out else ""


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
    parser.add_argument("--rounds", type=int, default=9, help="about 20 s each; of three or more, up to four times as many while neighbours disturb (default: 9)")
    parser.add_argument("--quick", action="store_true", help="3 rounds, whatever disturbs")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds must be 1 or more")
    return options


def run_once(rounds, *how):
    run = subprocess.run([PROGRAMS / "events" / "bench_events", str(rounds), *how], stdout=subprocess.PIPE, text=True, timeout=60 + 60 * rounds)
    if run.returncode != 0:
        raise RuntimeError("bench_events failed")  # it has said why
    return json.loads(run.stdout)


def measure(asked, patient, *how):
    """(what bench_events measured, Added): `asked` rounds, and when patient more of them until there are enough quiet ones."""
    measured = run_once(min(asked, BATCH), *how)
    while True:
        made = len(measured["rounds"])
        found = Added(measured["rounds"])
        if made >= asked and (not patient or found.enough() or made >= MAX_TIMES * asked):
            return measured, found
        more = run_once(min(asked, BATCH), *how)
        measured["rounds"] += more["rounds"]
        for way, runs in more["runs"].items():
            measured["runs"][way] += runs


def main(options):
    asked = BATCH if options.quick else options.rounds
    measured, found = measure(asked, not options.quick and asked >= BATCH)
    by_event, aside = found.by_event, found.aside()
    if found.usual:
        aside += f", with {found.usual} BPF programs of others loaded all the time, whose hooks, where they are these, make bare events dearer"
    about = command.about(options, rounds=len(measured["rounds"]))
    text = (f"{table(by_event)}\n\nns added to one event: median [quartiles] of {about['rounds']} rounds{aside}; {about['loopsnoop']}, kernel {about['kernel']}. "
            "–: the empty program's own cost is within the noise.")
    ratio = {event: dict(zip(("other", "followed"), ratios(by_event[event]))) for event in EVENTS}
    kernels = f"\n\nBy the kernel's own account, its clock reads included (not disturbed by other programs on these hooks):\n\n{program_table(measured['runs'])}"
    command.publish(options, "events", text, {"about": about, "added_ns": by_event, "to_empty": ratio, **measured}, besides=kernels)


if __name__ == "__main__":
    command.run(parse, main)
