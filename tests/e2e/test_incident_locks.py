# SPDX-License-Identifier: Apache-2.0
"""Incident 5, first half: locks that are taken in a circle while a service starts."""

import pytest

from harness import dump, incidents, servers, waiting

CIRCLES = {
    # of each thread in the circle: its name, its marked line, what it waits for
    "imports": [
        ("orders-loader", "orders", "the import lock of billing"),
        ("billing-loader", "billing", "the end of"),
        ("rates-loader", "rates", "the import lock of orders"),
    ],
    "locks": [("stock-loader", "stock", "a threading.RLock"), ("prices-loader", "prices", "a threading.RLock")],
}


@pytest.mark.parametrize("start", [True, False])  # -p PID, -- COMMAND
@pytest.mark.parametrize("shape", CIRCLES)
def test_circle(shape, start, folder):
    with incidents.run("locks", "broken", folder, "--hang-after", "1s", shape=shape, start=start) as run:
        stall = run.ongoing(lambda stall: "deadlock" in stall)
        taken = dump.take(stall["pid"])
        run.stop()
    scene = run.scene
    assert incidents.marked(scene, "main", stall["culprit"]), stall["culprit"]
    circle = CIRCLES[shape]
    for record in (stall, taken):
        threads = {thread["tid"]: thread for thread in record["threads"]}
        members = [threads[tid] for tid in record["deadlock"]]
        names = [thread["thread"] for thread in members]
        first = names.index(circle[0][0])
        assert names[first:] + names[:first] == [name for name, _, _ in circle]
        for thread, (_, cause, _) in zip(members[first:] + members[:first], circle):
            assert any(incidents.marked(scene, cause, frame) for frame in thread["stack"]["python"]), thread["stack"]["python"]
            assert thread["resource"]["holder"]["how"] == "owner field"
    assert "startup: no event loop seen yet, nothing listening" in stall["summary"]
    assert "held up by a deadlock: waits for the end of " in stall["summary"], stall["summary"]
    assert "deadlock: " in run.text
    for name, cause, wants in circle:
        place = scene.causes[cause]
        at = f"{name} (tid "
        rows = [row for row in run.text.splitlines() if at in row and f" at {place.file.rpartition('/')[2]}:{place.line}" in row]
        assert any(wants in row for row in rows), rows


@pytest.mark.parametrize("shape", CIRCLES)
def test_mended(shape, folder):
    with incidents.run("locks", "mended", folder, "--hang-after", "1s", shape=shape, start=False) as run:
        waiting.until(lambda: servers.accepts(run.scene.port), "the service")
        incidents.for_a_while(0.5)
        recording = run.stop()
    assert not [stall for stall in recording.of("stall") if "deadlock" in stall]
    assert any(loop["poll"] for loop in recording.of("loop"))
