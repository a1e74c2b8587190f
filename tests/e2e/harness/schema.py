# SPDX-License-Identifier: Apache-2.0
"""The contract's JSON Lines, schema 1, record by record. `judge(records)` raises a Broken that says what broke it and where."""

from .schema_parts import (
    Broken, CAUSES, Checker, MAX_WAITS, MS, POLL_CALLS, check_breakdown, check_culprit, check_gil,
    check_optional, check_peer, check_stack, check_thread, check_timestamp, check_wait, largest,
)


def check_stall(at):
    at.at("id").integer()
    phase = at.at("phase").one_of(["ongoing", "ended"])
    start = at.at("start_ns").integer(1)
    duration = at.at("duration_ns").integer()
    check_timestamp(at.at("started_at"))
    at.at("truncated").one_of([None, "before_attach", "session_end", "target_exit", "end_lost"])
    if "goes_on" in at.value and (at.value["goes_on"] is not True or at.value["phase"] != "ended"):
        at.fail("`goes_on` is only of the end, and true")
    at.at("pid").integer(1)
    at.at("tid").integer(1)
    at.at("comm").text()
    at.at("thread").text()
    cause = at.at("cause").one_of(CAUSES)
    check_breakdown(at.at("breakdown"), duration)
    if cause not in largest(at.value["breakdown"]):
        at.fail("the cause is not the class with most of its time")
    check_optional(at.at("culprit"), check_culprit)
    summary = at.at("summary").text()
    if "\n" in summary:
        at.fail("the summary is not one sentence")
    waits = at.at("waits").each()
    if len(waits) > MAX_WAITS:
        at.fail(f"more than {MAX_WAITS} waits")
    for wait in waits:
        check_wait(wait)
    starts = [wait.value["start_ns"] for wait in waits]
    if starts != sorted(starts):
        at.fail("waits are not oldest first")
    for wait in waits:
        inside = start - MS <= wait.value["start_ns"] and wait.value["start_ns"] + wait.value["duration_ns"] <= start + duration + MS
        if not inside:
            wait.fail(f"not inside its iteration [{start}, {start + duration}]")
    for sample in at.at("cpu").each():
        sample.at("samples").integer(1)
        sample.at("ns").integer()
        check_stack(sample.at("stack"))
    samples = [sample["samples"] for sample in at.value["cpu"]]
    if samples != sorted(samples, reverse=True):
        at.at("cpu").fail("not most samples first")
    if at.has("gil") != ("gil" in at.value["breakdown"]):
        at.fail("`gil` goes with the breakdown's part")
    if at.has("gil"):
        check_gil(at.at("gil"), at.value["breakdown"])
    at.at("throttled_ns").or_null("integer")
    if at.has("startup"):
        at.at("startup").at("process_age_ns").integer()
        for listener in at.at("startup").at("listening").each():
            listener.at("address").text(True)
            listener.at("waiting").or_null("integer")
    if at.has("task"):
        at.at("task").at("id").text()
        at.at("task").at("name").text()
    if at.has("gc"):
        at.at("gc").at("ns").integer()
    if at.has("pool"):
        at.at("pool").at("name").text()
        at.at("pool").at("how").one_of(["inferred"])
        for tid in at.at("pool").at("users").each() + at.at("pool").at("waiters").each():
            tid.integer(1)
    if at.has("peer"):
        check_peer(at.at("peer"))
        at.at("peer").at("waits_for_us").boolean()
        check_thread(at.at("peer").at("thread"))
    if phase == "ongoing" and not at.has("threads"):
        at.fail("an ongoing stall has no threads")
    if at.has("threads"):
        for thread in at.at("threads").each():
            check_thread(thread)
    if at.has("deadlock"):
        for tid in at.at("deadlock").each():
            tid.integer(1)
    if at.has("clients"):
        check_clients(at.at("clients"))


def check_session(at):
    if at.at("schema").integer() != 1:
        at.fail("not schema 1")
    at.at("version").text()
    check_timestamp(at.at("started_at"))
    at.at("start_ns").integer(1)
    at.at("host").text()
    at.at("kernel").text()
    at.at("threshold_ns").integer(1)
    for word in at.at("argv").each():
        word.text(True)
    if at.has("discovery"):
        at.at("discovery").one_of([True])


def check_loop(at):
    at.at("pid").integer(1)
    at.at("tid").integer(1)
    at.at("comm").text()
    at.at("thread").text()
    at.at("start_ns").integer(1)
    at.at("runtime").at("name").one_of(["cpython", "node", "native"])
    at.at("runtime").at("version").or_null("matches", r"\d+\.\d+.*")
    poll = at.at("poll")
    if poll.value is not None:
        poll.at("syscall").one_of(POLL_CALLS)
        poll.at("fd").or_null("integer")
    if at.has("container"):
        at.at("container").matches("[0-9a-f]{64}")
    if at.has("unit"):
        at.at("unit").text()


def check_dump(at):
    if at.at("schema").integer() != 1:
        at.fail("not schema 1")
    at.at("pid").integer(1)
    at.at("comm").text()
    at.at("start_ns").integer(1)
    check_timestamp(at.at("started_at"))
    at.at("look_ns").integer()
    for thread in at.at("threads").each():
        check_thread(thread)
    tids = [thread["tid"] for thread in at.value["threads"]]
    if not tids or len(set(tids)) != len(tids):
        at.at("threads").fail("no threads, or one of them twice")
    if at.has("deadlock"):
        for tid in at.at("deadlock").each():
            tid.one_of(tids)
        if not at.value["deadlock"]:
            at.at("deadlock").fail("an empty deadlock is to be absent")


KINDS = ["lost_wakeup", "task_deadlock", "no_answer", "not_accepted", "spin"]
WAITS_FOR = "task tasks lock event condition semaphore queue_get queue_put pool sleep socket executor process ready future".split()


def check_clients(at):
    for field in ("unanswered", "unread", "not_accepted", "gave_up"):
        at.at(field).integer()
    at.at("oldest_ns").or_null("integer")
    connections = at.at("connections").each()
    if len(connections) > 16:
        at.fail("more than 16 connections")
    for client in connections:
        client.at("local").text()
        client.at("remote").text()
        client.at("waited_ns").integer()
        client.at("unread_bytes").integer()
        client.at("accepted").boolean()
    waited = [client["waited_ns"] for client in at.value["connections"]]
    if waited != sorted(waited, reverse=True):
        at.at("connections").fail("not oldest first")


def check_task_group(at):
    at.at("count").integer(1)
    for name in at.at("names").each():
        name.text(True)
    if len(at.value["names"]) > 8:
        at.at("names").fail("more than 8")
    at.at("waited_ns").or_null("integer")
    check_optional(at.at("waits_for"), lambda what: what.at("kind").one_of(WAITS_FOR))
    if at.value["stack"] is not None:
        for frame in at.at("stack").at("python").each():
            frame.at("file").or_null("text")
    check_optional(at.at("culprit"), check_culprit)


def check_standstill(at):
    at.at("id").integer()
    phase = at.at("phase").one_of(["ongoing", "ended"])
    at.at("start_ns").integer(1)
    at.at("duration_ns").integer()
    check_timestamp(at.at("started_at"))
    at.at("truncated").one_of([None, "session_end", "target_exit"])
    if "goes_on" in at.value and (at.value["goes_on"] is not True or phase != "ended"):
        at.fail("`goes_on` is only of the end, and true")
    at.at("pid").integer(1)
    at.at("tid").integer(1)
    at.at("comm").text()
    at.at("thread").text()
    kind = at.at("kind").one_of(KINDS)
    at.at("certain").boolean()
    check_optional(at.at("culprit"), check_culprit)
    if "\n" in at.at("summary").text():
        at.fail("the summary is not one sentence")
    check_clients(at.at("clients"))
    waited = [upstream.at("waited_ns").integer() for upstream in at.at("upstream").each()]
    if waited != sorted(waited, reverse=True):
        at.at("upstream").fail("not oldest first")
    for group in at.at("tasks").each():
        check_task_group(group)
    if at.has("ready") != (kind == "lost_wakeup"):
        at.fail("`ready` is of a lost wake-up")
    if at.has("deadlock") != (kind == "task_deadlock"):
        at.fail("`deadlock` is of a task deadlock")
    for thread in at.at("threads").each():
        check_thread(thread)


def check_exit(at):
    at.at("pid").integer(1)
    at.at("start_ns").integer(1)
    at.at("status").or_null("integer")
    at.at("signal").or_null("matches", "SIG[A-Z0-9+]+")
    if (at.value["status"] is None) == (at.value["signal"] is None):
        at.fail("neither or both of status and signal")


def check_exec(at):
    at.at("pid").integer(1)
    at.at("start_ns").integer(1)
    at.at("comm").text()


def check_fork(at):
    at.at("pid").integer(1)
    at.at("start_ns").integer(1)
    at.at("child").integer(1)


def check_life(at):
    at.at("pid").integer(1)
    at.at("parent").or_null("integer", 1)
    at.at("comm").or_null("text")
    at.at("command").or_null("text")
    at.at("start_ns").integer(1)
    at.at("lived_ns").integer()
    at.at("status").or_null("integer")
    at.at("signal").or_null("matches", "SIG[A-Z0-9+]+")
    if not at.at("ended").boolean() and (at.value["status"], at.value["signal"]) != (None, None):
        at.fail("lives, and has a status")
    at.at("loop").boolean()
    at.at("accepted").or_null("integer")
    check_optional(at.at("ended_by"), lambda by: (by.at("signal").matches("SIG[A-Z0-9+]+"), by.at("pid").integer()))
    at.at("doing").or_null("text")
    check_optional(at.at("culprit"), check_culprit)
    for write in at.at("writes").each():
        write.at("path").text()
        write.at("time_ns").integer(1)


def check_restarts(at):
    at.at("parent").integer(1)
    at.at("comm").or_null("text")
    if len(at.at("workers").each()) < 2:
        at.fail("fewer than two workers")
    if at.value["served"] is not None and not set(at.value["served"]) <= set(at.value["workers"]):
        at.at("served").fail("not all of them are workers")
    at.at("loops").integer()
    if at.at("shortest_ns").integer() > at.at("longest_ns").integer():
        at.fail("the shortest life is longer than the longest")
    at.at("doing").or_null("text")
    check_optional(at.at("culprit"), check_culprit)
    check_optional(at.at("file"), lambda file: (file.at("path").text(), file.at("count").integer(1), file.at("by_worker").boolean()))


def check_summary(at):
    at.at("duration_ns").integer()
    for loop in at.at("loops").each():
        for field in ("pid", "tid", "iterations", "busy_ns", "idle_ns", "stalls", "stalled_ns", "longest_ns"):
            loop.at(field).integer()
        check_breakdown(loop.at("by_cause"))
    for line in at.at("lines").each():
        line.at("function").or_null("text")
        line.at("file").or_null("text")
        line.at("line").or_null("integer", 0)
        line.at("cause").one_of(CAUSES)
        line.at("on").or_null("text")
        for field in ("stalls", "count", "ns", "longest_ns"):
            line.at(field).integer()
    spent = [line["ns"] for line in at.value["lines"]]
    if spent != sorted(spent, reverse=True):
        at.at("lines").fail("not most time first")
    if at.has("processes"):
        for life in at.at("processes").each():
            check_life(life)
        for restarts in at.at("restarts").each():
            check_restarts(restarts)
    if at.has("waited_for"):
        for one in at.at("waited_for").each():
            one.at("pid").integer(1)
            check_clients(one.at("clients"))
            one.at("tasks").or_null("integer")
    if at.has("grown"):
        for one in at.at("grown").each():
            one.at("pid").integer(1)
            one.at("first").at("time_ns").integer(1)
            one.at("last").at("time_ns").integer(1)
    for reason, count in at.at("lost").value.items():
        Checker(f"{at.place}.lost.{reason}", count).integer()
    if not at.value["lost"]:
        at.fail("no kind of loss is listed")


CHECKS = {
    "session": check_session,
    "loop": check_loop,
    "stall": check_stall,
    "standstill": check_standstill,
    "dump": check_dump,
    "exit": check_exit,
    "exec": check_exec,
    "fork": check_fork,
    "summary": check_summary,
}


def check_record(number, record):
    place = f"line {number + 1} ({record.get('type')})"
    if next(iter(record), None) != "type":
        raise Broken(f"{place}: `type` is not the first field")
    if record["type"] not in CHECKS:
        raise Broken(f"{place}: unknown type")
    CHECKS[record["type"]](Checker(place, record))


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
