# SPDX-License-Identifier: Apache-2.0
"""Waits for the GIL as one story: how long, who held it, where in its code. And what is none."""

import pytest

from harness import compute, match, places, pythons, snoop, target, waiting

HOGS = ["gil_hog", "gil_sort", "gil_regex"]


def check_story(event, stall):
    """The holder is the hog, in its function, by most of the samples; True when the GIL is the stall's cause."""
    gil = stall["gil"]
    waited = match.part(stall, "gil")
    assert gil["ns"] == waited and gil["count"] >= 1
    # A stolen CPU takes the hog's time, too; what it does not take is the GIL's.
    assert waited + match.part(stall, "runqueue") >= 0.5 * stall["duration_ns"], stall["breakdown"]
    assert gil["holders"], stall
    hog = event["holder"]
    samples = sum(holder["samples"] for holder in gil["holders"])
    of_hog = [holder for holder in gil["holders"] if holder["tid"] == hog["tid"]]
    assert sum(holder["samples"] for holder in of_hog) >= 0.9 * samples, (hog, [(each["tid"], each["samples"]) for each in gil["holders"]])
    frames = [(holder["samples"], holder["stack"]["python"]) for holder in of_hog if holder["stack"]]
    right = sum(
        count
        for count, python in frames
        if any(
            frame["function"] == hog["function"] and frame["file"] == hog["file"] and frame["line"] in hog["lines"]
            for frame in python
        )
    )
    return stall["cause"] == "gil", right, samples


def hold(pairs):
    right = samples = 0
    for event, stall in pairs:
        is_gil, of_line, of_all = check_story(event, stall)
        right, samples = right + of_line, samples + of_all
        # A thread that waits for the GIL wakes every 5 ms: with every CPU taken it then waits for one, which may be longer.
        assert is_gil or stall["cause"] == "runqueue" and match.part(stall, "runqueue") > match.part(stall, "gil"), stall["breakdown"]
        hog = event["holder"]
        if is_gil or match.part(stall, "gil") * 4 > stall["duration_ns"]:
            assert "GIL" in stall["summary"] and f"(tid {hog['tid']})" in stall["summary"], stall["summary"]
            assert f"{hog['function']} (" in stall["summary"], stall["summary"]
        for wait in stall["waits"]:
            if wait["cause"] == "gil":
                assert wait["resource"]["kind"] == "futex" and wait["resource"]["lock"] == "gil"
                assert wait["resource"]["holder"]["tid"] == hog["tid"]
                assert wait["resource"]["holder"]["how"] == "inferred"
    assert right >= 0.8 * samples, f"{right} of {samples} samples found the hog in its function"
    waited = sum(match.part(stall, "gil") for _, stall in pairs)
    assert waited >= 0.2 * sum(stall["duration_ns"] for _, stall in pairs), "hardly any time went to the GIL"


@pytest.mark.parametrize("hog", HOGS)
def test_holder(hog, folder):
    pairs, _ = compute.run(target.python_loop(folder, wait=hog, count=7), folder)
    hold(pairs)


@pytest.mark.parametrize("hog", ["gil_hog", "gil_sort"])
@pytest.mark.parametrize("suite", ["bullseye", "trixie", "sid"])
def test_holder_in_another_python(suite, hog, folder):
    python = pythons.python_of(suite)
    pairs, _ = compute.run(target.python_loop(folder, wait=hog, count=5, python=python), folder)
    hold(pairs)


def test_many_short_waits_are_one_story(folder):
    """600 ms of waits of some 5 ms each: one entry, one headline."""
    pairs, _ = compute.run(target.python_loop(folder, wait="gil_hog", count=3, more=["--ms", "600"]), folder)
    hold(pairs)
    for event, stall in pairs:
        assert stall["gil"]["count"] > 20
        culprits = {compute.place(compute.application_frame(w["stack"], places.PYTHON_TARGETS)) for w in stall["waits"] if w["stack"]}
        assert compute.place(event) in culprits
        if stall["cause"] == "gil":
            assert compute.place(stall["culprit"]) == compute.place(event), stall["summary"]


@pytest.mark.parametrize("wait", ["condition_timeout", "queue_timeout", "lock_held_by_thread"])
def test_a_condition_is_no_gil(wait, folder):
    pairs, _ = compute.run(target.python_loop(folder, wait=wait, count=5), folder)
    for _, stall in pairs:
        assert match.part(stall, "gil") <= 0.1 * stall["duration_ns"], stall["breakdown"]
        waits = [each for each in stall["waits"] if each["cause"] == "futex"]
        assert waits and all(each["resource"]["lock"] != "gil" for each in waits)


def test_condition_variable_of_a_c_program(folder):
    pairs, recording = compute.run(target.native_loop(folder, wait="cond_timedwait", count=5), folder)
    for _, stall in pairs:
        assert "gil" not in stall["breakdown"] and "gil" not in stall
    assert all("gil" not in loop["by_cause"] for loop in recording.summary["loops"])


def test_one_long_wait_that_goes_on(folder):
    """With a switch interval of a minute there is one wait, and no end of it that would show who held the GIL."""
    options = {"switch_interval_s": 60}
    loop = target.python_loop(folder, wait="gil_hog", count=1, options=options, more=["--ms", "1200"])
    pairs, recording = compute.run(loop, folder, "--hang-after", "400ms")
    ((event, _),) = pairs
    ongoing = recording.stalls("ongoing")
    assert ongoing
    hog = event["holder"]
    for stall in ongoing:
        if stall["cause"] == "gil":
            assert [holder["tid"] for holder in stall["gil"]["holders"]] == [hog["tid"]] * len(stall["gil"]["holders"])
            assert f"(tid {hog['tid']})" in stall["summary"] and hog["function"] in stall["summary"], stall["summary"]
    assert any(stall["cause"] == "gil" for stall in ongoing), [stall["breakdown"] for stall in ongoing]


def test_holder_that_moves_on_during_one_wait(folder):
    """It is sampled again for each report, and the time since the last sample counts for the place where it is then."""
    loop = target.python_loop(folder, wait="gil_moves", count=1, options={"switch_interval_s": 60}, more=["--ms", "2000"])
    pairs, recording = compute.run(loop, folder, "--hang-after", "400ms")
    ((event, ended),) = pairs
    reports = [stall for stall in recording.stalls("ongoing") if stall["cause"] == "gil"]
    assert len(reports) >= 3, recording.stalls("ongoing")
    hog = event["holder"]
    assert hog["function"] not in reports[0]["summary"] and hog["function"] in reports[-1]["summary"], [stall["summary"] for stall in reports]
    # No time is counted twice: neither by two samples, nor by the record of the whole wait.
    for stall in [*reports, ended]:
        assert sum(holder["ns"] for holder in stall["gil"]["holders"]) <= stall["gil"]["ns"] + match.MS, stall["gil"]


@pytest.mark.parametrize("suite", ["trixie", "sid"])
def test_gil_of_a_subinterpreter(suite, folder):
    """It has one of its own, and threads of its own that hold it."""
    python = pythons.python_of(suite)
    scripts, _scratch = python.place_targets(places.PYTHON_TARGETS)
    with target.Target([*python.command, "-B", scripts / "subinterpreter.py"], folder) as process:
        hog = int(process.hear("hog ").split()[1])
        with snoop.Snoop("-p", process.pid, folder=folder) as snooping:
            snooping.session()
            waiting.until(lambda: sum(r["type"] == "stall" and r["phase"] == "ended" for r in list(snooping.records)) >= 4, "stalls")
            recording = snooping.stop()
    stalls = recording.stalls()
    waited = sum(match.part(stall, "gil") for stall in stalls)
    ran = sum(stall["duration_ns"] - match.part(stall, "runqueue") for stall in stalls)
    assert waited >= 0.2 * ran, [stall["breakdown"] for stall in stalls]
    holders = [holder for stall in stalls if "gil" in stall for holder in stall["gil"]["holders"]]
    assert holders and {holder["tid"] for holder in holders} == {hog}
    assert any(frame["function"] == "hog" for holder in holders for frame in holder["stack"]["python"])
