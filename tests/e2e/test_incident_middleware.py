# SPDX-License-Identifier: Apache-2.0
"""Incident 1: synchronous calls in async middleware."""

import re

import pytest

from harness import incidents, match, waiting

FOLLOWED_S = 7
PEERS = {"commit": "postgres", "get": "redis-server", "setex": "redis-server"}


def test_both_lines_and_both_peers(folder):
    with incidents.run("middleware", "broken", folder) as run:
        incidents.for_a_while(FOLLOWED_S)
        recording = run.stop()
    assert len(recording.stalls()) >= 5
    assert {stall["cause"] for stall in recording.stalls()} <= {"socket", "runqueue", "cpu"}
    # Which of Redis's two calls hits its busy moments is chance; both lines are in the account in any case.
    assert {"commit"} < incidents.blamed(run.scene, recording) <= set(PEERS)
    for name in incidents.blamed(run.scene, recording):
        reported = incidents.line(run.scene, recording, name, "socket")
        assert f" of {PEERS[name]} (pid " in reported["on"], reported
        assert reported["count"] >= reported["stalls"] >= 1 and reported["ns"] >= reported["longest_ns"] > 0
    commit = incidents.line(run.scene, recording, "commit")
    (loop,) = recording.summary["loops"]
    assert commit["ns"] > (loop["busy_ns"] + loop["idle_ns"]) / 5, "most of the loop's time"
    assert commit["ns"] <= loop["stalled_ns"] + match.MS
    for stall in recording.stalls():
        for wait in stall["waits"]:
            own = next((frame for frame in wait["stack"]["python"] if incidents.any_of(run.scene, PEERS, frame)), None)
            if wait["duration_ns"] >= 30 * match.MS and wait["cause"] == "socket":
                assert own, wait["stack"]["python"]
                assert wait["resource"]["peer"]["comm"] == PEERS[incidents.any_of(run.scene, PEERS, own)]
    place = run.scene.causes["commit"]
    assert f"record ({place.file}:{place.line})" in run.text
    assert "of postgres (pid" in run.text and "of redis-server (pid" in run.text
    row = re.search(rf"record \({place.file}:{place.line}\) +socket .* of postgres \(pid \d+\) .*%$", run.text, re.MULTILINE)
    assert row, run.text


def test_mended(folder):
    with incidents.run("middleware", "mended", folder) as run:
        before = waiting.delay_ns(run.scene.pid)
        incidents.for_a_while(4)
        delay = waiting.delay_ns(run.scene.pid) - before
        recording = run.stop()
    incidents.nothing(run, delay, *PEERS)
    (loop,) = recording.summary["loops"]
    assert loop["iterations"] > 50, "it served meanwhile"


@pytest.mark.parametrize("variant", ["broken", "mended"])
def test_the_incident_is_one(variant, folder):
    """Its health check suffers, and that of the mended one does not: else the tests above would say nothing."""
    from stages import middleware, scene

    with middleware.stage(folder, variant) as running:
        running.begin()
        slowest = max(scene.took(lambda: scene.get(running.port, "/health")) for _ in range(15))
    assert (slowest > 0.1) == (variant == "broken"), slowest
