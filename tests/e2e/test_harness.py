# SPDX-License-Identifier: Apache-2.0
"""The judges are judged: what is faultless passes, and each fault that they are there for is found."""

import copy

import pytest

from harness import forge, match, schema, snoop


@pytest.fixture(autouse=True)
def is_root():
    """These need no kernel."""


def events():
    second = copy.deepcopy(forge.SAMPLE_EVENT)
    for key in ("start_ns", "end_ns", "callback_start_ns", "callback_end_ns"):
        second[key] += 500_000_000
    short = copy.deepcopy(second)
    for key in ("start_ns", "callback_start_ns"):
        short[key] += 500_000_000
    short["end_ns"] = short["callback_end_ns"] = short["start_ns"] + 40_000_000
    return [copy.deepcopy(forge.SAMPLE_EVENT), second, short]


def hold(records, truth=None):
    schema.judge(records)
    match.hold(truth or events(), snoop.Recording(records), match.Expectation(python=True, run_delay_ns=0))


def test_faultless():
    hold(forge.recording(events()))


def remove_stall(records):
    forged = forge.recording(events()[:1] + events()[2:])
    records[:] = forged


def phantom_stall(records):
    extra = copy.deepcopy(forge.SAMPLE_EVENT)
    for key in ("start_ns", "end_ns", "callback_start_ns", "callback_end_ns"):
        extra[key] += 9_000_000_000
    records[:] = forge.recording([*events(), extra])


def idle_in_it(records):
    records[1]["start_ns"] -= 30_000_000
    records[1]["duration_ns"] += 30_000_000
    records[1]["breakdown"]["other"] = {"ns": 30_000_000, "count": 1}
    records[-1]["loops"][0]["stalled_ns"] += 30_000_000
    records[-1]["loops"][0]["busy_ns"] += 30_000_000
    records[-1]["loops"][0]["longest_ns"] += 30_000_000
    records[-1]["loops"][0]["by_cause"]["other"] = {"ns": 30_000_000, "count": 1}


def blamed_on_the_run_queue(records):
    phantom_stall(records)
    for stall in [each for each in records if each["type"] == "stall"][-1:]:
        part = stall["breakdown"].pop("socket")
        stall["breakdown"]["runqueue"] = part
        stall["cause"] = "runqueue"
        by_cause = records[-1]["loops"][0]["by_cause"]
        by_cause["socket"]["ns"] -= part["ns"]
        by_cause["runqueue"] = part


def change(path, value):
    """A fault: sets what `path` leads to in the first stall."""

    def apply(records):
        place = records[1]
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value

    apply.__name__ = ".".join(map(str, path))
    return apply


WAIT = forge.stall(0, forge.SAMPLE_EVENT, True)["waits"][0]
FAULTS = [
    remove_stall,
    phantom_stall,
    idle_in_it,
    blamed_on_the_run_queue,
    change(["cause"], "pipe"),
    change(["waits", 0, "cause"], "pipe"),
    change(["waits", 0, "syscall"], "poll"),
    change(["waits", 0, "duration_ns"], WAIT["duration_ns"] - 1_200_000),
    change(["waits", 0, "duration_ns"], WAIT["duration_ns"] + 1_200_000),
    change(["waits", 0, "resource", "remote"], "127.0.0.1:1"),
    change(["waits", 0, "resource", "peer"], None),
    change(["waits", 0, "resource"], None),
    change(["waits", 0, "stack"], None),
    change(["waits", 0, "stack", "kernel"], []),
    change(["waits", 0, "stack", "native"], WAIT["stack"]["native"][:1]),
    change(["waits", 0, "stack", "python", 2, "line"], 29),
    change(["waits", 0, "stack", "python", 0, "function"], "other"),
    change(["waits", 0, "count"], 0),
    change(["waits"], [WAIT] * 17),
    change(["culprit", "line"], 29),
    change(["culprit", "function"], "block"),
    change(["culprit"], None),
    change(["duration_ns"], "150"),
    change(["duration_ns"], 150_100_000.0),
    change(["breakdown", "cpu", "ns"], 9_000_000),
    change(["breakdown", "naptime"], {"ns": 0, "count": 0}),
    change(["started_at"], "2026-11-22T05:49:28Z"),
    change(["phase"], "ongoing"),
    change(["id"], 1),
    change(["truncated"], "session_end"),
    change(["tid"], 501),
    change(["summary"], ""),
    change(["summary"], "one line\nand another"),
    change(["undocumented"], 1),
    change(["waits", 0, "undocumented"], None),
    change(["waits", 0, "resource", "undocumented"], None),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_fault_is_found(fault):
    records = forge.recording(events())
    hold(copy.deepcopy(records))  # else any fault would be found
    fault(records)
    with pytest.raises((schema.Broken, match.Wrong)):
        hold(records)


def test_stolen_time_may_pass_for_computing_where_there_was_some():
    """The hypervisor takes the CPU from a call that computes and sleeps in many pieces."""
    event = {**copy.deepcopy(forge.SAMPLE_EVENT), "pieces": 40}
    records = forge.recording([event])
    stall = records[1]
    taken = stall["breakdown"]["socket"]["ns"] * 3 // 5
    stall["breakdown"]["socket"]["ns"] -= taken
    stall["breakdown"]["cpu"]["ns"] += taken
    stall["cause"] = "cpu"
    expected = match.Expectation(python=True)
    wait = stall["waits"][0]
    for check in (lambda: match.check_cause(event, stall, expected), lambda: match.check_duration(event, stall, wait, expected)):
        with pytest.raises(match.Wrong):
            expected = match.Expectation(python=True)
            check()
        expected = match.Expectation(python=True, stolen_ns=taken)
        check()


@pytest.mark.parametrize("line", [b'{"a": 1, "a": 2}', b'{"a": NaN}', b'{"a": "\xff"}', b'{"a": 1', b""])
def test_line_that_is_no_json(line):
    with pytest.raises((schema.Broken, ValueError)):
        snoop.parse_line(line)


def test_the_schema_is_one():
    schema.Validator.check_schema(schema.SCHEMA)
    for name, part in schema.SCHEMA["$defs"].items():
        assert part.get("type") != "object" or part["additionalProperties"] is False, name


@pytest.mark.parametrize("record", [{"type": "quantum"}, {"pid": 1, "type": "fork"}, {"type": "fork", "pid": 1, "start_ns": 1}])
def test_record_that_is_none(record):
    with pytest.raises(schema.Broken):
        schema.check_record(0, record)
