# SPDX-License-Identifier: Apache-2.0
"""The benchmarks themselves, in as few seconds as they take: that they run, and that their figures are there. Not what these are:
no absolute time is asserted here."""
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import events  # noqa: E402
import figures  # noqa: E402
import pace  # noqa: E402
import sandwich  # noqa: E402

BINARY = os.environ["LOOPSNOOP_BIN"]
HERE = Path(__file__).parent


def bench(name, folder, *options):
    """Runs it as scripts/bench does; the JSON that it wrote."""
    needs_root()
    command = ["/usr/bin/python3", "-B", str(HERE / f"{name}.py"), "--binary", BINARY, "--output", str(folder), *options]
    run = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=180)
    assert run.returncode == 0, run.stderr[-3000:]
    table = (folder / f"{name}.md").read_text(encoding="utf-8")
    assert table.startswith("| ") or "| --- |" in table or name == "verifier", table[:300]
    assert table.splitlines()[0] in run.stdout
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))


def needs_root():
    if os.geteuid() != 0:
        pytest.skip("loads BPF programs: needs root")


def one_slice(cpu=100.0, rate=1000.0, p99=1.0, stolen=0.0, foreign_programs=False):
    return sandwich.Slice(cpu, rate, p99, stolen, foreign_programs)


def test_sandwich_is_held_against_bare_on_both_sides():
    one = sandwich.Sandwich("loopsnoop", one_slice(cpu=100), [one_slice(cpu=110), one_slice(cpu=121)], one_slice(cpu=110), None)
    assert one.ratio("cpu_us_per_request") == pytest.approx(1.1)
    assert not one.disturbed()


def test_disturbed_sandwiches_are_set_aside():
    calm = [sandwich.Sandwich("control", one_slice(), [one_slice()], one_slice(), None) for _ in range(3)]
    stolen = sandwich.Sandwich("control", one_slice(), [one_slice(stolen=0.2)], one_slice(), None)
    foreign_programs = sandwich.Sandwich("control", one_slice(), [one_slice()], one_slice(foreign_programs=True), None)
    other = sandwich.Sandwich("loopsnoop", one_slice(), [one_slice()], one_slice(), None)
    assert sandwich.kept([*calm, stolen, foreign_programs, other], "control") == calm
    assert sandwich.kept([calm[0], stolen], "control") == [calm[0], stolen]  # too few to be choosy


def piece(cpu_ms, gauge_us, requests=10):
    return pace.Interval(cpu_ms / 1000, requests * 100, 0.005, (gauge_us * 1000, gauge_us * 1000))


def paced(own_speed, slow, cpu_ms=4.0, cpu=400.0):
    """A slice: quick intervals, then slow ones that cost half as much again."""
    pieces = (*[piece(cpu_ms, 10.0)] * 20, *[piece(cpu_ms * 1.5, 18.0)] * slow)
    own_speed.learn(pieces)
    return sandwich.Slice(cpu, 1000.0, 1.0, 0.0, False, pieces)


def test_only_intervals_at_own_speed_count():
    own_speed = pace.OwnSpeed()
    one = paced(own_speed, slow=20, cpu=500.0)
    assert own_speed.bounds_ns() == (10000, pytest.approx(11500)) and len(own_speed.quick(one.intervals)) == 20
    clocked = sandwich.Slice(400.0, 1000.0, 1.0, 0.0, False, tuple([piece(4.2, 10.5)] * 20))  # the clock rate is lower by a twentieth
    found = [slice_.at_own_speed(own_speed).cpu_us_per_request for slice_ in (one, clocked)]
    assert found == [pytest.approx(400), pytest.approx(400 / 1.05)]
    assert sandwich.Slice(1.0, 1.0, 1.0, 0.0, False, (piece(4, 10.0), *[piece(6, 18.0)] * 50)).at_own_speed(own_speed) is None
    assert one_slice().at_own_speed(own_speed) is None


def test_own_speed_is_the_highest_that_comes_often():
    own_speed = pace.OwnSpeed()
    own_speed.learn([*[piece(4, 10.0)] * 5, *[piece(5, 20.0)] * 80, *[piece(6, 30.0)] * 15])  # a load generator on the other half of the core
    assert own_speed.bounds_ns() == (20000, 23000)
    own_speed.learn([piece(4, 10.0)] * 20)
    assert own_speed.bounds_ns()[0] == 10000
    assert pace.OwnSpeed().bounds_ns() == (0, 0) and pace.OwnSpeed().quick([piece(4, 10.0)]) == []


def test_ratios_at_own_speed_need_no_quiet_neighbours():
    own_speed = pace.OwnSpeed()
    bare = [paced(own_speed, slow=slow, cpu=(20 * 4 + slow * 6) / (20 + slow) * 100) for slow in (0, 20, 60)]
    followed = [paced(own_speed, slow=slow, cpu_ms=4.04, cpu=(20 * 4.04 + slow * 6.06) / (20 + slow) * 100) for slow in (60, 0)]
    sandwiches = [sandwich.Sandwich("loopsnoop", bare[at], [followed[at]], bare[at + 1], None) for at in (0, 1)]
    assert sandwich.ratios(sandwiches, "loopsnoop", "p99_ms", own_speed) == ([1.0, 1.0], False)
    found, at_own = sandwich.ratios(sandwiches, "loopsnoop", "cpu_us_per_request", own_speed)
    assert at_own and found == [pytest.approx(1.01)] * 2
    found, at_own = sandwich.ratios(sandwiches[:1], "loopsnoop", "cpu_us_per_request", own_speed)
    assert not at_own and found == [sandwiches[0].ratio("cpu_us_per_request")]  # two bare ones are too few


def test_ratios_at_own_speed_follow_what_the_gauge_does_not_see():
    own_speed = pace.OwnSpeed()
    sandwiches = []
    for cpu_ms in (4.0, 5.0):  # a neighbour fills the caches
        for _ in range(5):
            before, after = (paced(own_speed, slow=0, cpu_ms=cpu_ms, cpu=cpu_ms * 100) for _ in range(2))
            inside = paced(own_speed, slow=0, cpu_ms=cpu_ms * 1.01, cpu=cpu_ms * 101)
            sandwiches.append(sandwich.Sandwich("loopsnoop", before, [inside, inside], after, None))
    found, at_own = sandwich.ratios(sandwiches, "loopsnoop", "cpu_us_per_request", own_speed)
    assert at_own and len(found) == 20 and found == [pytest.approx(1.01)] * 20


def test_lines_of_pace_become_intervals():
    rows = "1000000 500 700 0 9000\n6000000 4000700 4000900 300 9100\n11000000 8000900 8001000 300 9000\n"
    assert pace.intervals(rows) == [pace.Interval(0.004, 300, 0.005, (9000, 9100))]  # none without a request
    assert pace.intervals("") == []


def test_figures():
    assert figures.quartiles([3, 1, 2]) == (2, 1.5, 2.5)
    assert figures.spread([2.0], ".1f") == "2.0 [2.0–2.0]"
    assert figures.spread([None], ".1f") == "–"
    assert figures.table(("a", "b"), [(1, 2)]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"


def test_into_readme_writes_between_its_own_marks_alone(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- bench:x:begin -->\nold\n<!-- bench:x:end -->\nafter\n")
    figures.into_readme("x", "new", readme)
    assert readme.read_text() == "before\n<!-- bench:x:begin -->\nnew\n<!-- bench:x:end -->\nafter\n"
    with pytest.raises(RuntimeError, match="bench:y:begin"):
        figures.into_readme("y", "new", readme)


def test_the_real_readme_has_the_marks():
    text = figures.README.read_text(encoding="utf-8")
    for name in ("overhead", "events", "sampling", "accuracy", "scale", "hosts", "tasks", "quiet", "soak"):
        assert text.index(f"<!-- bench:{name}:begin -->") < text.index(f"<!-- bench:{name}:end -->")


def ways(*figures_ns, programs=0, slow=()):
    """A round. `slow`: at which places the core was at 1.4 times its usual ns, all events alike."""
    names = ("nothing", "waking", "nothing", "empty", "nothing", "other", "nothing", "followed", "nothing")
    return [{"way": name, "ns": {event: ns * (1.4 if at in slow else 1) for event in events.EVENTS}, "strayed": [], "gauge_ns": 17000 if at in slow else 10000, "programs": [programs + (name != "nothing"), programs + (name != "nothing")]}
            for at, (name, ns) in enumerate(zip(names, figures_ns))]


QUIET = (100, 101, 100, 160, 100, 180, 100, 220, 100)


def test_events_are_held_against_bare_on_both_sides():
    found = events.Added([ways(*QUIET)] * 3)
    assert found.kept == found.of == 27 and found.aside() == "" and not found.enough()
    assert events.ratios(found.by_event["poll call"]) == (pytest.approx(80 / 60), 2.0)
    assert found.by_event["poll call"]["control"] == [0] * 13 and found.by_event["poll call"]["waking"] == [1] * 3
    assert events.Added([ways(*QUIET)] * 7).enough()
    drifting = events.Added([ways(100, 103, 102, 164, 104, 186, 106, 228, 108)] * 3)
    assert drifting.by_event["poll call"]["empty"] == [61] * 3 and drifting.by_event["poll call"]["followed"] == [121] * 3


def test_events_are_timed_at_one_clock_rate():
    slower = ways(*(ns * 1.05 for ns in QUIET))
    for one in slower:
        one["gauge_ns"] = 10500
    assert all(added == pytest.approx(60) for added in events.Added([ways(*QUIET), slower, ways(*QUIET)]).by_event["poll call"]["empty"])


def test_events_without_a_quick_chunk_are_left_out():
    partly = ways(*QUIET)
    partly[3]["strayed"] = ["poll call"]
    found = events.Added([partly, *[ways(*QUIET)] * 3])
    assert found.of - found.kept == 1 and len(found.by_event["file call"]["empty"]) == 3
    found = events.Added([partly])  # nothing else to be had
    assert not found.quick and found.by_event["poll call"]["empty"] == [60] and "strayed" in found.aside()


def test_events_beside_programs_of_others_are_left_out():
    noisy = ways(*QUIET)
    noisy[2]["programs"] = [0, 12]
    found = events.Added([noisy, *[ways(*QUIET)] * 3])
    assert found.of - found.kept == 1 and "BPF programs meanwhile" in found.aside()
    for at in (0, 2, 4, 6, 8):
        noisy[at]["programs"] = [0, 12]
    found = events.Added([noisy])  # none at all to hold anything against
    assert not found.alone and "not to be relied on" in found.aside()


def test_events_on_a_slow_core_are_left_out():
    found = events.Added([ways(*QUIET, slow=(3, 4, 5, 6)), *[ways(*QUIET)] * 3])
    of = found.by_event["poll call"]
    assert of["waking"] == [1] * 4 and of["empty"] == [60] * 3 and of["other"] == [80] * 3 and of["followed"] == [120] * 4
    assert found.of - found.kept == 4 and "a neighbour" in found.aside()
    found = events.Added([ways(*QUIET, slow=(3, 4, 5, 6))])
    assert found.alone and not found.quick and "strayed" in found.aside()


def test_overhead(tmp_path):
    measured = bench("overhead", tmp_path, "--only", "echo", "--rounds", "1", "--no-peers", "--seconds", "0.3")
    roles = measured["workloads"]["echo"]["roles"]
    assert set(roles) == {"loopsnoop", "control", "stand-in", "empty"}
    for role in roles.values():
        assert role["cpu_us_per_request"]["median"] > 0 and role["requests_per_s"]["median"] > 0 and role["sandwiches"] > 0
    mine = [one for one in measured["workloads"]["echo"]["sandwiches"] if one["role"] == "loopsnoop"]
    assert all(len(one["inside"]) == 3 and all("at_own_speed" in each for each in (one["before"], *one["inside"])) for one in mine)
    costs = [one["cost"] for one in mine]
    assert all(cost["attach_s"] > 0 and cost["rss_bytes"] > 1 << 20 for cost in costs)
    shares = {one["role"]: one["cost"] and one["cost"]["programs_share"] for one in measured["workloads"]["echo"]["sandwiches"]}
    assert 0 < shares["empty"] < 1 and 0 < shares["loopsnoop"] < 1 and shares["stand-in"] is None and shares["control"] is None
    assert "| BPF programs alone, % of the server's CPU time | loopsnoop | empty ones on its hooks |" in (tmp_path / "overhead.md").read_text(encoding="utf-8")


def test_events(tmp_path):
    measured = bench("events", tmp_path, "--rounds", "1")
    assert set(measured["added_ns"]) == set(events.EVENTS)
    assert all(by_way[way] for by_way in measured["added_ns"].values() for way in events.WAYS)
    ran = measured["runs"]["followed"][0]
    assert ran["sleep in the poll call"]["on_switch"]["count"] >= 2 * 150 * 100  # timed_events.cpp: chunks_of_run * sleeps_in_chunk
    assert ran["futex call"]["on_call_enter"]["count"] >= 150 * 1000  # chunks_of_run * calls_in_chunk


def test_sampling(tmp_path):
    measured = bench("sampling", tmp_path, "--rounds", "1", "--seconds", "0.5")
    by_role = {one["role"]: one for one in measured["sandwiches"]}
    assert set(by_role) == {"control", "100ms", "20ms", "5ms", "1ms"}
    assert all(one["ratio"]["cpu_us_per_request"] > 0 for one in by_role.values())
    assert measured["own_speed"]["intervals"] > 50  # of 5 ms, while the loop writes how far it is some times a millisecond
    assert by_role["1ms"]["cost"]["stalls"] > 0  # some 60 ms each
    assert 0 < by_role["1ms"]["cost"]["programs_share"] < 1


def test_accuracy(tmp_path):
    measured = bench("accuracy", tmp_path, "--count", "3", "--threshold", "20")
    assert [one["machine"] for one in measured["results"]] == ["idle", "saturated"]
    for one in measured["results"]:
        waiting = one["waiting"]
        assert waiting["events"] > 0 and waiting["short"] > 0 and waiting["found"] > 0
        assert all(right[1] > 0 for right in waiting["right"].values()), waiting["right"]
        assert one["computing"]["events"] > 0


def test_scale(tmp_path):
    measured = bench("scale", tmp_path, "--quick", "--only", "storms", "--only", "python")
    for storm in measured["storms"]:
        assert storm["made"] > 0 and storm["reported"] > 0
        assert storm["silent"] == 0, storm  # what was lost was counted
    assert measured["python"]["warm_us"] > 0 and measured["python"]["python_frames"] >= 20 and not measured["python"]["native_truncated"]


def test_hosts(tmp_path):
    measured = bench("hosts", tmp_path, "--quick", "--crowd", "30,3", "--no-others")
    (crowd,) = measured["crowds"]
    assert crowd["found"] >= 33 and crowd["cpu"] > 0 and crowd["scrape_ms"] > 0 and crowd["rss_at_most_mib"] >= crowd["rss_mib"] > 1


def test_soak(tmp_path):
    """The real thing, only shorter: what it complains about is a failure here, too."""
    measured = bench("soak", tmp_path, "--minutes", "0.8", "--a-minute", "300")
    assert measured["scrapes"] > 10 and all(count > 0 for count in measured["started"].values()) and measured["loops_seen"] > 5


def test_tasks(tmp_path):
    """Wrong lines are a failure here, too."""
    measured = bench("tasks", tmp_path, "--tasks", "500", "--snapshots", "20", "--connections", "100", "--seconds", "2", "--settle", "5")
    assert measured["many"]["found_at_least"] == 500
    assert measured["churn"]["tasks_on_their_line"] > 100 and measured["churn"]["target_lives"]
    assert measured["connections"]["rss_mib"] > 1


def test_quiet(tmp_path):
    measured = bench("quiet", tmp_path, "--minutes", "0.3")
    assert measured["servers"] == 20 and measured["followed"] >= 18, measured["not_followed"]


def test_verifier(tmp_path):
    needs_root()
    run = subprocess.run(["/usr/bin/python3", "-B", str(HERE / "verifier.py"), "--binary", BINARY, "--output", str(tmp_path)], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=120)
    assert run.returncode in (0, 1), run.stderr  # 1: a program has grown
    programs = json.loads((tmp_path / "verifier.json").read_text())["programs"]
    assert programs["on_switch"]["instructions"] > 0


@pytest.mark.parametrize("name", ["overhead", "events", "sampling", "accuracy", "scale", "hosts", "tasks", "quiet", "soak", "verifier"])
def test_help_and_wrong_options(name):
    shown = subprocess.run(["/usr/bin/python3", "-B", str(HERE / f"{name}.py"), "--help"], capture_output=True, text=True, timeout=60)
    assert shown.returncode == 0 and f"scripts/bench {name}" in shown.stdout
    wrong = subprocess.run(["/usr/bin/python3", "-B", str(HERE / f"{name}.py"), "--check", "--nonsense"], capture_output=True, text=True, timeout=60)
    assert wrong.returncode == 2 and "--nonsense" in wrong.stderr.splitlines()[-1]
