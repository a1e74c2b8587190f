# SPDX-License-Identifier: Apache-2.0
"""Incident 2: healthy, then silence. A pool that runs dry, and a task that computes more every day."""

from harness import incidents, match, waiting

OPTIONS = ("--hang-after", "500ms", "-T", "60ms")  # a machine that is quicker than thought reconciles in less than 100 ms


def test_pool_and_task(folder):
    with incidents.run("pool", "broken", folder, *OPTIONS) as run:
        stall = run.ongoing(lambda stall: stall["cause"] == "futex")
        incidents.for_a_while(3)  # it freezes again and again
        recording = run.stop()
    scene = run.scene
    assert incidents.marked(scene, "pool", stall["culprit"]), stall["culprit"]
    assert stall["pool"] == {"name": "SQLAlchemy's connection pool", "users": [], "waiters": [], "how": "inferred"}
    place = scene.causes["pool"]
    said = "waiting for SQLAlchemy's connection pool: its connections leaked, or their users wait for this loop (inferred)"
    assert said in stall["summary"] and f"{place.file}:{place.line}" in stall["summary"], stall["summary"]
    assert said in run.text
    frozen = [each for each in recording.stalls() if each["cause"] == "futex"]
    assert len(frozen) >= 2
    for each in frozen:
        assert incidents.marked(scene, "pool", each["culprit"]), each["culprit"]
        assert each["duration_ns"] <= 2.6e9 + 5 * match.MS * 20, "as long as the pool's time-out"
    computed = [each for each in recording.stalls() if incidents.marked(scene, "reconcile", each["culprit"])]
    assert computed and {each["cause"] for each in computed} <= {"cpu", "runqueue"}
    starved = any(match.part(each, "runqueue") > each["duration_ns"] / 4 for each in computed)
    assert starved or "cpu" in {each["cause"] for each in computed}
    assert all(match.part(each, "cpu") > 30 * match.MS for each in computed)
    assert incidents.line(scene, recording, "pool")["on"] == "SQLAlchemy's connection pool"
    assert incidents.line(scene, recording, "reconcile", "cpu")["ns"] > 0


def test_mended(folder):
    with incidents.run("pool", "mended", folder, *OPTIONS) as run:
        before = waiting.delay_ns(run.scene.pid)
        incidents.for_a_while(5)
        delay = waiting.delay_ns(run.scene.pid) - before
        recording = run.stop()
    incidents.nothing(run, delay, "pool", "reconcile")
    (loop,) = recording.summary["loops"]
    assert loop["iterations"] > 50


def test_holders_are_named(folder):
    """A pool whose connections threads of the process have: those threads are named instead."""
    with incidents.run("pool", "busy", folder, "--hang-after", "500ms") as run:
        stall = run.ongoing(lambda stall: stall["cause"] == "futex")
        run.stop()
    users = {thread["tid"]: thread for thread in stall["threads"] if thread["tid"] in stall["pool"]["users"]}
    assert len(users) == 3 and {thread["thread"] for thread in users.values()} == {"report_0", "report_1", "report_2"}
    assert "probably from report_" in stall["summary"] and "127.0.0.1:" in stall["summary"], stall["summary"]
