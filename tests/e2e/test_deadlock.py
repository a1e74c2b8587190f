# SPDX-License-Identifier: Apache-2.0
"""Who waits for whom: chains down to their last link, and deadlocks; in a dump and in a stall that is still running."""

import json
import re

import pytest

from harness import dump, places, pythons, snoop, target

LEAST_DUMPS = 25
LEAST_CONTENDED = 5
MAX_DUMPS = 100


def circle_from(tids, first):
    start = tids.index(first)
    return tids[start:] + tids[:start]


def holders(record):
    """By tid, the tid of the thread that holds what it waits for."""
    found = {}
    for thread in record["threads"]:
        resource = thread["resource"]
        if resource and resource["kind"] == "futex" and resource["holder"]:
            assert resource["holder"]["how"] == "owner field"
            found[thread["tid"]] = resource["holder"]["tid"]
    return found


@pytest.mark.parametrize("mode,count", [("one", 1), ("two", 2), ("three", 3)])
def test_dump_of_a_deadlock(mode, count, folder):
    with dump.locked(folder, mode) as (process, truth):
        members = truth["threads"]
        tids = [each["tid"] for each in members]
        main = truth["main"]["tid"]
        dump.until_asleep(process.pid, main, *tids)
        record = dump.take(process.pid)
        text = dump.text(process.pid)
    assert len(members) == count
    expected = {tid: tids[(index + 1) % count] for index, tid in enumerate(tids)} | {main: tids[0]}
    assert holders(record) == expected
    threads = {each["tid"]: each for each in record["threads"]}
    for index, member in enumerate(members):
        thread = threads[member["tid"]]
        assert thread["resource"]["address"] == members[(index + 1) % count]["holds"]
        assert thread["resource"]["lock"] == "pthread_mutex"
        assert any(frame["function"] == "wait_for_next" for frame in thread["stack"]["native"])
    assert circle_from(record["deadlock"], tids[0]) == tids
    assert text.count("deadlock: ") == 1
    assert re.search(rf"\(tid {tids[0]}\), see above", text)


def test_dump_of_a_chain(folder):
    """Down to the process that does not read."""
    with dump.locked(folder, "pipe") as (process, truth):
        writer = truth["threads"][0]["tid"]
        dump.until_asleep(process.pid, truth["main"]["tid"])
        dump.until_asleep(process.pid, writer, number=1)
        record = dump.take(process.pid)
        text = dump.text(process.pid)
    assert "deadlock" not in record
    assert holders(record) == {truth["main"]["tid"]: writer}
    last = next(each for each in record["threads"] if each["tid"] == writer)
    assert last["cause"] == "pipe" and last["syscall"] == "write"
    assert last["resource"]["peer"]["comm"] == "lazy_reader"
    assert text.index(f"{writer} writer_0: sleeping in write()") < text.index("(main thread)"), "who holds up others comes first"


def test_threads_that_move_are_no_deadlock(folder):
    """Each of the two is often seen waiting for what the other one holds, but never both of them at once."""
    dumps = contended = 0
    with dump.locked(folder, "churn") as (process, _truth):
        while dumps < LEAST_DUMPS or (contended < LEAST_CONTENDED and dumps < MAX_DUMPS):
            record = dump.take(process.pid)
            assert "deadlock" not in record, f"after {dumps} dumps, {contended} of them with a waiting thread"
            dumps += 1
            contended += bool(holders(record))
    assert contended >= LEAST_CONTENDED, "the test saw too little contention: it says nothing"


@pytest.mark.parametrize("mode", ["rlocks", "mixed"])
def test_python_deadlock(mode, folder):
    """Over two RLocks, over a mutex and an RLock."""
    script = places.PYTHON_TARGETS / "deadlocks.py"
    with target.Target([places.SYSTEM_PYTHON, "-B", script, mode, folder], folder) as process:
        tids = json.loads(process.hear("ready").partition(" ")[2])
        dump.until_asleep(process.pid, *tids.values())
        record = dump.take(process.pid)
        text = dump.text(process.pid)
        stall, _ended, _text = follow(folder, process.pid)
    left, right = tids["left"], tids["right"]
    assert circle_from(record["deadlock"], left) == [left, right]
    assert {tid: holder for tid, holder in holders(record).items() if tid in (left, right)} == {left: right, right: left}
    for tid in (left, right):
        thread = next(each for each in record["threads"] if each["tid"] == tid)
        lines = [(frame["file"], frame["line"]) for frame in thread["stack"]["python"]]
        assert any(file and file[0] != "<" and line and marked(file, line) for file, line in lines), lines
    assert f"deadlock: {record['deadlock'][0]} (" in text
    assert circle_from(stall["deadlock"], left) == [left, right], "a deadlock among other threads is reported, too"


def marked(file, line):
    """A line of the target that says of itself that it blocks."""
    with open(file, encoding="utf-8") as lines:
        return lines.read().splitlines()[line - 1].endswith("# <- blocks")


def follow(folder, pid):
    """The first record of a stall of a process that hangs, and what was shown to people."""
    with snoop.Snoop("-p", pid, "--hang-after", "300ms", folder=folder) as snooping:
        stall = snooping.ongoing()
        recording = snooping.stop()
        text = snooping.text()
    assert recording.stalls()[0]["id"] == stall["id"]
    return stall, recording.stalls()[0], text


@pytest.mark.parametrize("mode", ["two", "three"])
def test_stall_behind_a_deadlock(mode, folder):
    with dump.locked(folder, mode) as (process, truth):
        tids = [each["tid"] for each in truth["threads"]]
        dump.until_asleep(process.pid, truth["main"]["tid"], *tids)
        stall, ended, text = follow(folder, process.pid)
    assert stall["tid"] == truth["main"]["tid"]
    assert circle_from(stall["deadlock"], tids[0]) == tids
    assert ended["deadlock"] == stall["deadlock"]
    assert {each["tid"] for each in stall["threads"]} == set(tids), "the loop's own thread is not among the others"
    assert "held up by a deadlock: waits for a mutex held by member_0" in stall["summary"]
    for number, tid in enumerate(tids):
        assert f"held by member_{number} (tid {tid}) at locked_target.c:" in stall["summary"]
    assert "deadlock: " in text and "who holds it up" in text


def test_stall_held_up_by_a_full_pipe(folder):
    with dump.locked(folder, "pipe") as (process, truth):
        writer = truth["threads"][0]["tid"]
        dump.until_asleep(process.pid, truth["main"]["tid"])
        dump.until_asleep(process.pid, writer, number=1)
        stall, _ended, text = follow(folder, process.pid)
    assert "deadlock" not in stall
    assert re.search(
        rf"waits for a mutex held by writer_0 \(tid {writer}\) at locked_target\.c:\d+, "
        r"which is in write\(\) to a full pipe read by lazy_reader \(pid \d+\)",
        stall["summary"],
    ), stall["summary"]
    assert re.search(rf"\n      writer_0 \(tid {writer}\) at .*, which is in write\(\) to a full pipe read by lazy_reader", text)


@pytest.mark.parametrize("suite", [None, "bullseye", "trixie", "sid"])  # None: the system's 3.11
def test_import_lock(suite, folder):
    """Over an import lock and an RLock: a module's body wants a lock whose holder imports that module."""
    python = pythons.python_of(suite) if suite else None
    if python:
        scripts, scratch = python.place_targets(places.PYTHON_TARGETS)
        command = [*python.command, "-B", scripts / "deadlocks.py", "imports", scratch]
    else:
        command = [places.SYSTEM_PYTHON, "-B", places.PYTHON_TARGETS / "deadlocks.py", "imports", folder]
    with target.Target(command, folder) as process:
        tids = json.loads(process.hear("ready").partition(" ")[2])
        dump.until_asleep(process.pid, *tids.values())
        record = dump.take(process.pid)
        text = dump.text(process.pid)
        stall, _ended, _text = follow(folder, process.pid)
    left, right = tids["left"], tids["right"]
    assert {tid: holder for tid, holder in holders(record).items() if tid in (left, right)} == {left: right, right: left}
    assert circle_from(record["deadlock"], left) == [left, right]
    assert circle_from(stall["deadlock"], left) == [left, right]
    threads = {thread["tid"]: thread for thread in record["threads"]}
    assert threads[left]["resource"]["type"] == "threading.RLock"
    assert threads[right]["resource"]["type"] == "import lock of wants_lock"
    assert threads[left]["thread"].startswith("importer") and threads[right]["thread"].startswith("keeper")
    script = (places.PYTHON_TARGETS / "deadlocks.py").read_text().splitlines()
    line = 1 + next(number for number, text in enumerate(script) if "__import__(name)  # <- blocks" in text)
    assert re.search(rf"keeper \(tid {right}\) at deadlocks\.py:{line}, which waits for the import lock of wants_lock ", text)
    assert f"importer (tid {left}) at wants_lock.py:3 waits for a threading.RLock" in text or "which waits for a threading.RLock" in text
