# SPDX-License-Identifier: Apache-2.0
"""Records, held to the schema file of the repository, and to what a schema cannot say: sums, orders, and how records go together.
`judge(records)` raises a Broken that says what broke it and where."""

import functools
import json

import jsonschema

from . import places

SCHEMA = json.loads((places.ROOT / "userspace" / "output" / "record.schema.json").read_text())
MS = 1_000_000


# JSON Schema takes 1.0 for an integer; our readers, and many others, do not.
Validator = jsonschema.validators.extend(
    jsonschema.Draft202012Validator,
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int),
)


class Broken(AssertionError):
    pass


@functools.cache
def validator(kind):
    """Of one type of record: that of the whole file would name the type that fails least, not the one that was meant."""
    return Validator({"$ref": f"#/$defs/{kind}", "$defs": SCHEMA["$defs"]})


def check_schema(place, record):
    for error in validator(record["type"]).iter_errors(record):
        deepest = jsonschema.exceptions.best_match([error])
        path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in deepest.absolute_path)
        raise Broken(f"{place}{path}: {deepest.message}"[:2000])


def largest(breakdown):
    """The causes with most time; a difference of a microsecond decides nothing."""
    most = max((part["ns"] for part in breakdown.values()), default=0)
    return [cause for cause, part in breakdown.items() if part["ns"] >= most - 1000]


def check_descending(place, name, values):
    if values != sorted(values, reverse=True):
        raise Broken(f"{place}: {name} are not in descending order: {values}")


def check_stall(place, stall):
    start, duration = stall["start_ns"], stall["duration_ns"]
    added = sum(part["ns"] for part in stall["breakdown"].values())
    if abs(added - duration) > MS:
        raise Broken(f"{place}.breakdown: the parts add up to {added}, not to {duration}")
    if stall["cause"] not in largest(stall["breakdown"]):
        raise Broken(f"{place}: the cause {stall['cause']} is not the class with most of its time: {stall['breakdown']}")
    starts = [wait["start_ns"] for wait in stall["waits"]]
    if starts != sorted(starts):
        raise Broken(f"{place}.waits: not oldest first: {starts}")
    for number, wait in enumerate(stall["waits"]):
        if not (start - MS <= wait["start_ns"] and wait["start_ns"] + wait["duration_ns"] <= start + duration + MS):
            raise Broken(f"{place}.waits[{number}]: not inside its iteration [{start}, {start + duration}]: {wait}"[:2000])
        if (wait["stack_from"] is None) != (wait["stack"] is None):
            raise Broken(f"{place}.waits[{number}]: stack and stack_from do not agree")
    check_descending(place, "cpu[].samples", [part["samples"] for part in stall["cpu"]])
    if ("gil" in stall) != ("gil" in stall["breakdown"]):
        raise Broken(f"{place}: `gil` goes with the breakdown's part")
    if "gil" in stall:
        if {key: stall["gil"][key] for key in ("ns", "count")} != stall["breakdown"]["gil"]:
            raise Broken(f"{place}.gil does not agree with the breakdown")
        check_descending(place, "gil.holders[].samples", [holder["samples"] for holder in stall["gil"]["holders"]])
    if "clients" in stall:
        check_descending(place, "clients.connections[].waited_ns", [one["waited_ns"] for one in stall["clients"]["connections"]])


def check_dump(place, dump):
    tids = [thread["tid"] for thread in dump["threads"]]
    if len(set(tids)) != len(tids):
        raise Broken(f"{place}.threads: one of them twice: {tids}")
    if not set(dump.get("deadlock", [])) <= set(tids):
        raise Broken(f"{place}.deadlock: not all of them are threads: {dump['deadlock']}")


def check_summary(place, summary):
    check_descending(place, "lines[].ns", [line["ns"] for line in summary["lines"]])
    for life in summary.get("processes", []):
        if not life["ended"] and (life["status"], life["signal"]) != (None, None):
            raise Broken(f"{place}.processes: {life['pid']} lives, and has a status")
    for restarts in summary.get("restarts", []):
        if not set(restarts["served"] or []) <= set(restarts["workers"]):
            raise Broken(f"{place}.restarts.served: not all of them are workers: {restarts}")
        if restarts["shortest_ns"] > restarts["longest_ns"]:
            raise Broken(f"{place}.restarts: the shortest life is longer than the longest: {restarts}")


def check_standstill(place, standstill):
    check_descending(place, "clients.connections[].waited_ns", [one["waited_ns"] for one in standstill["clients"]["connections"]])
    check_descending(place, "upstream[].waited_ns", [one["waited_ns"] for one in standstill["upstream"]])
    if ("ready" in standstill) != (standstill["kind"] == "lost_wakeup"):
        raise Broken(f"{place}: `ready` is of a lost wake-up")
    if ("deadlock" in standstill) != (standstill["kind"] == "task_deadlock"):
        raise Broken(f"{place}: `deadlock` is of a task deadlock")


CHECKS = {"stall": check_stall, "standstill": check_standstill, "dump": check_dump, "summary": check_summary}


def check_record(number, record):
    place = f"line {number + 1} ({record.get('type')})"
    if next(iter(record), None) != "type":
        raise Broken(f"{place}: `type` is not the first field")
    if {"$ref": f"#/$defs/{record['type']}"} not in SCHEMA["oneOf"]:
        raise Broken(f"{place}: unknown type")
    check_schema(place, record)
    if record["type"] in CHECKS:
        CHECKS[record["type"]](place, record)


def check_phases(records, threshold_ns):
    """Of one stall: ongoing records of growing age, then exactly one `ended`."""
    stalls = {}
    for record in records:
        if record["type"] == "stall":
            stalls.setdefault(record["id"], []).append(record)
    for number, phases in stalls.items():
        place = f"stall {number}"
        if [each["phase"] for each in phases] != ["ongoing"] * (len(phases) - 1) + ["ended"]:
            raise Broken(f"{place}: its phases are {[each['phase'] for each in phases]}")
        ages = [each["duration_ns"] for each in phases]
        if ages != sorted(ages):
            raise Broken(f"{place}: its durations do not grow: {ages}")
        if len({(each["pid"], each["tid"], each["start_ns"]) for each in phases}) != 1:
            raise Broken(f"{place}: its records are not of one iteration")
        if len(phases) > 1 and "threads" not in phases[-1]:
            raise Broken(f"{place}: was ongoing, its end has no threads")
        if ages[-1] < threshold_ns:
            raise Broken(f"{place}: {ages[-1]} ns is below the threshold of {threshold_ns} ns")


def check_totals(records):
    """The summary agrees with the records before it."""
    for loop in records[-1]["loops"]:
        own = [
            each
            for each in records
            if each["type"] == "stall" and each["phase"] == "ended" and (each["pid"], each["tid"]) == (loop["pid"], loop["tid"])
        ]
        if sum((each["pid"], each["tid"]) == (loop["pid"], loop["tid"]) for each in records[-1]["loops"]) > 1:
            continue  # a thread that had several loops: exec
        stalled = sum(each["duration_ns"] for each in own)
        if loop["stalls"] != len(own) or abs(loop["stalled_ns"] - stalled) > MS * max(1, len(own)):
            raise Broken(f"summary: {loop} does not agree with {len(own)} stalls of {stalled} ns")
        for cause, part in loop["by_cause"].items():
            added = sum(each["breakdown"].get(cause, {"ns": 0})["ns"] for each in own)
            if abs(part["ns"] - added) > MS * max(1, len(own)):
                raise Broken(f"summary: by_cause.{cause} is {part['ns']}, its stalls have {added}")
        if loop["longest_ns"] < max((each["duration_ns"] for each in own), default=0) - MS:
            raise Broken(f"summary: longest_ns of {loop} is shorter than a stall")
        if loop["stalled_ns"] > loop["busy_ns"] + MS:
            raise Broken(f"summary: {loop} was stalled longer than busy")


def judge(records, ended=True):
    """`ended`: the session came to its end, and so has a summary and every stall an `ended`."""
    if not records:
        raise Broken("nothing was written")
    for number, record in enumerate(records):
        check_record(number, record)
    kinds = [record["type"] for record in records]
    if kinds[0] != "session" or kinds.count("session") != 1:
        raise Broken(f"the first record and only the first is `session`: {kinds}")
    if not ended:
        return
    if kinds[-1] != "summary" or kinds.count("summary") != 1:
        raise Broken(f"the last record and only the last is `summary`: {kinds[-5:]}")
    check_phases(records, records[0]["threshold_ns"])
    check_totals(records)
