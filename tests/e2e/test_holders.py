# SPDX-License-Identifier: Apache-2.0
"""Who holds the lock that a loop waits for, shown while it waits."""

import json
import re

import pytest

from harness import dump, match, places, pythons, snoop, target


def hang_and_end(running, folder):
    """The first record of the hang that the target makes when it is let go, and the recording, which has its end, too."""
    with snoop.Snoop("-p", running.pid, "--hang-after", "300ms", folder=folder) as snooping:
        snooping.session()
        running.go()
        hang = snooping.ongoing()
        running.hear("done")
        return hang, snooping.stop()


def ended_record(hang, recording):
    (ended,) = [stall for stall in recording.stalls() if stall["id"] == hang["id"]]
    return ended


def ongoing_futex(loop, folder):
    """The loop's lock wait in the first record of the hang, that record, and what the target wrote down."""
    with loop:
        loop.hear("ready")
        stall, recording = hang_and_end(loop, folder)
        loop.end()
    check_ended(stall, recording)
    wait = max(stall["waits"], key=lambda each: each["duration_ns"])
    assert wait["resource"]["kind"] == "futex", wait
    return wait["resource"], stall, loop.events()


def check_ended(ongoing, recording):
    """Over, the stall still says who held the lock when that could be seen."""
    ended = ended_record(ongoing, recording)
    for wait in ongoing["waits"]:
        if wait["ongoing"] and wait["resource"]["holder"]:
            same = [each for each in ended["waits"] if each["resource"] and each["resource"].get("address") == wait["resource"]["address"]]
            assert wait["resource"] in [each["resource"] for each in same], (wait["resource"], same)
            assert f"(tid {wait['resource']['holder']['tid']})" in ended["summary"]


@pytest.mark.parametrize("wait", ["mutex", "mutex_recursive", "mutex_checking", "mutex_pi", "mutex_robust"])
def test_mutex(wait, folder):
    resource, stall, events = ongoing_futex(target.native_loop(folder, wait=wait, count=1, more=["--ms", "2000"]), folder)
    assert resource["lock"] == "pthread_mutex"
    truth = events[0]["resource"]["holder"]
    assert resource["holder"] == {"tid": truth["tid"], "thread": truth["thread"], "how": "owner field"}
    assert f"waits for a mutex held by holder (tid {truth['tid']})" in stall["summary"]


@pytest.mark.parametrize("wait", ["rdlock", "wrlock"])
def test_rwlock_writer(wait, folder):
    resource, _, events = ongoing_futex(target.native_loop(folder, wait=wait, count=1, more=["--ms", "2000"]), folder)
    truth = events[0]["resource"]["holder"]
    assert resource["lock"] == "unknown"  # the contract has no word for a rwlock
    assert resource["type"] == "pthread rwlock"
    assert resource["holder"] == {"tid": truth["tid"], "thread": truth["thread"], "how": "owner field"}


@pytest.mark.parametrize("wait", ["cond_timedwait", "sem_wait"])
def test_no_holder_without_owner(wait, folder):
    resource, _, _ = ongoing_futex(target.native_loop(folder, wait=wait, count=1, more=["--ms", "2000"]), folder)
    assert resource["lock"] == "unknown"
    assert resource["holder"] is None


@pytest.mark.parametrize("suite", [None, "bullseye", "trixie", "sid"])  # None: the system's 3.11
def test_logging_handler(suite, folder):
    """A worker holds the handler's RLock, stuck in a full pipe."""
    python = pythons.python_of(suite) if suite else None
    loop = target.python_loop(folder, wait="log_handler", count=1, more=["--ms", "2000"], python=python)
    resource, stall, _ = ongoing_futex(loop, folder)
    (worker,) = [each for each in stall["threads"] if each["resource"] and each["resource"]["kind"] == "pipe"]
    assert resource["lock"] == "python_lock"
    assert resource["holder"] == {"tid": worker["tid"], "thread": worker["thread"], "how": "owner field"}
    assert worker["thread"] == "worker", "the name that Python gave it"
    assert resource["type"] == "logging.Handler.lock"
    assert f"waits for logging.Handler.lock held by worker (tid {worker['tid']})" in stall["summary"]


@pytest.mark.parametrize("wait", ["lock_held_by_thread", "condition_timeout"])
def test_plain_python_lock(wait, folder):
    resource, _, _ = ongoing_futex(target.python_loop(folder, wait=wait, count=1, more=["--ms", "2000"]), folder)
    assert resource["lock"] == "python_lock"
    assert resource["type"] == {"lock_held_by_thread": "threading.Lock", "condition_timeout": "threading.Condition"}[wait]
    assert resource["holder"] is None


def python_command(suite, folder, script, *arguments):
    """Of an interpreter of harness.pythons, None being the system's."""
    if suite is None:
        return [places.SYSTEM_PYTHON, "-B", places.PYTHON_TARGETS / script, *arguments]
    python = pythons.python_of(suite)
    scripts, _scratch = python.place_targets(places.PYTHON_TARGETS)
    return [*python.command, "-B", scripts / script, *arguments]


@pytest.mark.parametrize("suite", [None, "bullseye", "trixie", "sid"])  # None: the system's 3.11
def test_who_is_inside_a_with_block(suite, folder):
    """Probably holds the lock; neither who was in one, nor who only wants to be. And whose end a join() waits for."""
    with target.Target(python_command(suite, folder, "plain_locks.py", "threads"), folder) as process:
        tids = json.loads(process.hear("ready").partition(" ")[2])
        dump.until_asleep(process.pid, tids["wants"], tids["wants_plainly"], tids["joins"], process.pid)
        record = dump.take(process.pid)
        text = dump.text(process.pid)
    threads = {thread["tid"]: thread for thread in record["threads"]}
    holder = tids["holder"]
    for name in ("wants", "wants_plainly"):
        resource = threads[tids[name]]["resource"]
        assert (resource["lock"], resource["type"]) == ("python_lock", "threading.Lock")
        assert resource["holder"] == {"tid": holder, "thread": "holder", "how": "inferred"}
    for tid in (tids["joins"], process.pid):
        resource = threads[tid]["resource"]
        assert (resource["lock"], resource["type"]) == ("python_lock", "threading.Thread")
        assert resource["holder"] == {"tid": holder, "thread": "holder", "how": "owner field"}
    assert "deadlock" not in record
    assert f"probably held by holder (tid {holder})" in text and f"on the end of holder (tid {holder})" in text
    assert f"{holder} holder: " in text and "holds up 4 threads" in text


def test_who_had_it_last(folder):
    """Taken by acquire(), nothing shows who has it; but who let go of it before."""
    with target.Target(python_command(None, folder, "plain_locks.py", "loop"), folder) as process:
        process.hear("ready")
        with snoop.Snoop("-p", process.pid, "--hang-after", "600ms", folder=folder) as snooping:
            snooping.session()
            process.go()
            hang = snooping.ongoing()
            recording = snooping.stop()
    ended = [stall for stall in recording.stalls() if stall["id"] != hang["id"] and stall["cause"] == "futex"]
    (wait,) = [wait for stall in ended for wait in stall["waits"] if wait["cause"] == "futex" and wait["duration_ns"] > 100_000_000]
    released_by = wait["resource"]["holder"]
    assert released_by["thread"] == "holder" and released_by["how"] == "inferred"
    (wait,) = [wait for wait in hang["waits"] if wait["ongoing"]]
    assert wait["resource"]["type"] == "threading.Lock"
    assert wait["resource"]["holder"] == released_by
    assert f"waits for a threading.Lock probably held by holder (tid {released_by['tid']})" in hang["summary"]
    assert "deadlock" not in hang


@pytest.mark.parametrize("wait", ["flock", "fcntl_lock"])
def test_file_lock(wait, folder):
    """The process that has it, while it has it and afterwards."""
    loop = target.python_loop(folder, wait=wait, count=1, more=["--ms", "2000"])
    with loop:
        loop.hear("ready")
        hang, recording = hang_and_end(loop, folder)
        loop.end()
    (event,) = loop.events()
    for stall in (hang, ended_record(hang, recording)):
        wait = max(stall["waits"], key=lambda each: each["duration_ns"])
        assert {key: wait["resource"]["holder"][key] for key in event["resource"]["holder"]} == event["resource"]["holder"]
        assert f"waiting for a lock on {event['resource']['path']} held by " in stall["summary"]
        assert f"(pid {event['resource']['holder']['pid']})" in stall["summary"]


SHOP = """
import asyncio, sqlite3, subprocess, sys
path, journal, statement, own = sys.argv[1:5]
setup = sqlite3.connect(path)
setup.execute(f"pragma journal_mode={journal}")
setup.execute("create table orders (id integer)")
setup.commit()
setup.close()
HOLD = "import sqlite3, sys; held = sqlite3.connect(sys.argv[1], isolation_level=None); held.execute('begin'); held.execute(sys.argv[2]).fetchall(); print(flush=True); sys.stdin.read()"
if own == "own":
    held = sqlite3.connect(path, isolation_level=None)
    held.execute("begin")
    held.execute(statement)
else:
    holder = subprocess.Popen([sys.executable, "-c", HOLD, path, statement], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    holder.stdout.readline()

def place_order():
    shop = sqlite3.connect(path, timeout=0.9)
    try:
        with shop:
            shop.execute("insert into orders values (1)")
    except sqlite3.OperationalError:
        pass
    shop.close()

async def serve():
    await asyncio.sleep(0.1)
    print("ready", holder.pid if own != "own" else 0, flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    place_order()
    print("done", flush=True)
    await asyncio.sleep(0.1)

asyncio.run(serve())
if own != "own":
    holder.kill()
"""


@pytest.mark.parametrize("journal, statement, own", [("delete", "insert into orders values (2)", "other"), ("wal", "insert into orders values (2)", "other"),
                                                     ("delete", "select * from orders", "other"), ("wal", "insert into orders values (2)", "own")])
def test_database_lock(journal, statement, own, folder):
    """SQLite sleeps and tries again; who has the lock is named all the same: a writer, a reader, another connection of its own."""
    (folder / "shop.py").write_text(SHOP, encoding="utf-8")
    database = folder / "shop.db"
    with target.Target([places.SYSTEM_PYTHON, folder / "shop.py", database, journal, statement, own], folder) as running:
        holder = int(running.hear("ready").split()[1]) or running.pid
        hang, recording = hang_and_end(running, folder)
    called = "shop.py" if own == "own" else "python3"  # by its script, where it has one
    for stall in (hang, ended_record(hang, recording)):
        assert (stall["cause"], stall["culprit"]["function"]) == ("sleep", "place_order"), stall
        wait = max(stall["waits"], key=lambda each: each["duration_ns"])
        assert not match.differing({"kind": "file", "fd": None, "path": str(database), "holder": {"pid": holder, "comm": "python3"}}, wait["resource"]), stall
        # The other one reads from a pipe that it has from this one, and the lock's time-out ends the wait: no deadlock.
        said = f"waiting for the lock of SQLite database {database} held by {called} (pid {holder})"
        reads = "" if own == "own" else "(, which reads from a pipe that this process writes to;)?"
        assert re.search(re.escape(said) + reads + " in place_order", stall["summary"]), stall["summary"]
        assert "deadlock" not in stall["summary"] and "no_end" not in stall, stall["summary"]
    assert any(line["on"].startswith(str(database)) for line in recording.summary["lines"])
