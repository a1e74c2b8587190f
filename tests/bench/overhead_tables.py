# SPDX-License-Identifier: Apache-2.0
"""The tables of `scripts/bench overhead`, from its JSON."""
import statistics

import figures
from sandwich import NEAREST

CPU, RATE, P99 = "cpu_us_per_request", "requests_per_s", "p99_ms"


def mark(one):
    return "" if one["at_own_speed"] else " †"


def with_spread(role, metric, bar=None):
    if role is None:
        return "–"
    one = role[metric]
    middle = f"{one['median']:.3f}"
    if bar is not None and one["median"] > bar:
        middle = f"**{middle}**"
    return f"{middle} [{one['low']:.3f}–{one['high']:.3f}]{'' if metric == P99 else mark(one)}"


def plain(role, metric):
    return "–" if role is None else f"{role[metric]['median']:.2f}"


def cpu_and_rate(role):
    return "–" if role is None else f"{plain(role, CPU)} / {plain(role, RATE)}{mark(role[CPU])}"


def share(one, name):
    """What its BPF programs take of the server's CPU time, in %; None: not measured."""
    shares = [sandwich["cost"]["programs_share"] * 100 for sandwich in one["sandwiches"] if sandwich["role"] == name and sandwich["cost"] and sandwich["cost"]["programs_share"] is not None]
    return figures.spread(shares, ".2f") if shares else None


def cost_table(workloads):
    rows = []
    for one in workloads.values():
        role = one["roles"].get
        rows.append((one["about"], f"{one['bare'][CPU]:.1f}", with_spread(role("loopsnoop"), CPU, one["bar"]), f"{one['bar']:g}", with_spread(role("control"), CPU),
                     with_spread(role("stand-in"), CPU), with_spread(role("empty"), CPU), with_spread(role("loopsnoop"), RATE), with_spread(role("control"), RATE),
                     plain(role("loopsnoop"), P99), plain(role("control"), P99)))
    head = ("server", "bare CPU/request, µs", "CPU/request followed / bare", "meant to be at most", "bare / bare", "idle process / bare", "empty BPF programs / bare",
            "req/s followed / bare", "bare / bare", "p99 followed / bare", "bare / bare")
    return figures.table(head, rows)


def programs_table(workloads, about):
    """Of those that have BPF programs."""
    names = [name for name in ("loopsnoop", "empty", *about["peers"]) if any(share(one, name) for one in workloads.values())]
    rows = [(one["about"], *(share(one, name) or "–" for name in names)) for one in workloads.values()]
    titles = {"loopsnoop": "loopsnoop", "empty": "empty ones on its hooks", **{name: peer["about"] for name, peer in about["peers"].items()}}
    return figures.table(("BPF programs alone, % of the server's CPU time", *(titles[name] for name in names)), rows)


def peer_table(workloads, about):
    peers = list(about["peers"])
    rows = [(one["about"], *(cpu_and_rate(one["roles"].get(name)) for name in ("loopsnoop", "empty", *peers)))
            for one in workloads.values()]
    head = ("CPU/request, req/s: ratios to bare", "loopsnoop", "empty programs", *(about["peers"][name]["about"] for name in peers))
    return figures.table(head, rows)


def own_costs(workloads, name):
    return [sandwich["cost"] for one in workloads.values() for sandwich in one["sandwiches"] if sandwich["role"] == name and sandwich["cost"]]


def follower_table(workloads, about):
    rows = []
    for name in ("loopsnoop", *about["peers"]):
        costs = own_costs(workloads, name)
        if costs:
            attach = [cost["attach_s"] * 1000 for cost in costs if cost["attach_s"] is not None]
            rows.append((name if name == "loopsnoop" else about["peers"][name]["about"], figures.spread(attach, ".0f"),
                         figures.spread((cost["start_cpu_s"] * 1000 for cost in costs), ".0f"), figures.spread((cost["cpu_share"] * 100 for cost in costs), ".2f"),
                         f"{statistics.median(cost['wakeups_per_s'] for cost in costs):.0f}", f"{max(cost['rss_bytes'] for cost in costs) / 2**20:.1f}"))
    head = ("follower", "attach, ms", "CPU of its start, ms", "CPU then, % of a core", "wake-ups/s", "memory, MiB")
    return figures.table(head, rows)


def notes(data):
    workloads, about = data["workloads"], data["about"]
    counts = [one["roles"]["loopsnoop"][CPU]["count"] for one in workloads.values()]
    own = [one["own_speed"] for one in workloads.values()]
    counting = [100 * one["counting"] / max(1, one["intervals"]) for one in own]
    aside = sum(role["set_aside"] for one in workloads.values() for role in one["roles"].values())
    costs = own_costs(workloads, "loopsnoop")
    lost = {}
    for cost in costs:
        for reason, count in cost["lost"].items():
            lost[reason] = lost.get(reason, 0) + count
    losses = ", ".join(f"{count} {reason}" for reason, count in sorted(lost.items())) or "none"
    yield (f"CPU/request and req/s: while the server's core was at its own speed under that load, which a gauge on it showed every 5 ms ({min(counting):.0f}–{max(counting):.0f} % of "
           f"{min(one['intervals'] for one in own)}–{max(one['intervals'] for one in own)} intervals; a neighbour on the core's other hardware thread makes it slower by half), median [quartiles] of {min(counts)}–{max(counts)} slices of {about['slice_s']:g} s, each against the median of the {NEAREST} bare ones "
           f"of that speed nearest to it. †: it never was for long enough, and the ratios are those of whole slices to the ones right before and after, as they are for p99. {aside} comparisons set aside "
           f"because the hypervisor took CPU time or somebody else loaded BPF programs; {about['loopsnoop']}, kernel {about['kernel']}; {about['took_s'] / 60:.0f} minutes in all. "
           f"loopsnoop reported {sum(cost['stalls'] for cost in costs)} stalls meanwhile; its losses: {losses}.")
    yield ("BPF programs alone: by the kernel's own account, a clock read a run and the runs in other processes included, without the way into "
           "them. Both figures are of the same slice, so that a machine that strays makes no difference; the empty ones show what of it is the account's.")
    if about["bpf_programs_before"]:
        yield f"{about['bpf_programs_before']} BPF programs of others were loaded from the start: bare is with them."
    for name, why in about["peers_absent"].items():
        yield f"Not measured: {name}, {why}."
    for workload, one in workloads.items():
        for name, why in one["failed"].items():
            yield f"Not measured on {workload}: {name}: {why}."


def tables(data):
    workloads, about = data["workloads"], data["about"]
    parts = [cost_table(workloads), programs_table(workloads, about)]
    if about["peers"]:
        parts.append(peer_table(workloads, about))
    parts.append(follower_table(workloads, about))
    return "\n\n".join(parts + list(notes(data)))
