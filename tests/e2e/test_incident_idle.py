# SPDX-License-Identifier: Apache-2.0
"""Incidents 6, 7 and 8: the loop is idle, and customers wait. Each broken and mended."""

import pytest

from harness import incidents

OPTIONS = ("--stuck-after", "2s")


def standstill(run, wanted=lambda _record: True):
    return run.snooping.wait_for(lambda record: record["type"] == "standstill" and wanted(record), "such standstill")


def test_async_pool(folder):
    with incidents.run("asyncpool", "broken", folder, *OPTIONS) as run:
        found = standstill(run)
        recording = run.stop()
    assert found["kind"] == "no_answer"
    assert found["clients"]["unanswered"] >= 6
    assert incidents.marked(run.scene, "pool", found["culprit"]), found["culprit"]
    group = found["tasks"][0]
    assert group["count"] >= 6 and group["waits_for"]["kind"] == "pool"
    assert "customers wait, the oldest for" in found["summary"] and "SQLAlchemy" in found["summary"], found["summary"]
    assert all(stall["cause"] in ("runqueue", "cpu") for stall in recording.stalls()), "nothing blocks the loop"


def test_lost_wakeup(folder):
    with incidents.run("wakeup", "broken", folder, *OPTIONS) as run:
        found = standstill(run)
        run.stop()
    assert found["kind"] == "lost_wakeup" and found["certain"] is True
    assert found["ready"]["count"] == 1
    assert found["clients"]["unanswered"] == 1
    assert "callback is queued" in found["summary"], found["summary"]
    assert "call_soon_threadsafe" in found["advice"]


def test_two_services(folder):
    with incidents.run("awaiting", "broken", folder, *OPTIONS) as run:
        orders = standstill(run, lambda record: record["pid"] == run.scene.peers["orders"])
        stock = standstill(run, lambda record: record["pid"] == run.scene.peers["stock"])
        run.stop()
    assert (orders["kind"], stock["kind"]) == ("no_answer", "no_answer")
    waits = {group["waits_for"]["kind"]: group for group in orders["tasks"] if group["waits_for"]}
    assert incidents.marked(run.scene, "price", waits["lock"]["culprit"]) or incidents.marked(run.scene, "order", waits["lock"]["culprit"])
    assert "asyncio.Lock" in orders["summary"], orders["summary"]
    assert any(upstream["peer"] and upstream["peer"]["pid"] == run.scene.peers["stock"] for upstream in orders["upstream"])
    frames = [frame for group in stock["tasks"] for frame in group["stack"]["python"]]
    assert any(incidents.marked(run.scene, "reserve", frame) for frame in frames), frames


@pytest.mark.parametrize("name", ["asyncpool", "wakeup", "awaiting"])
def test_mended(name, folder):
    with incidents.run(name, "mended", folder, *OPTIONS) as run:
        incidents.for_a_while(6)
        recording = run.stop()
    assert not recording.of("standstill"), recording.of("standstill")[0]["summary"]
    blocked = [stall["summary"] for stall in recording.stalls() if stall["cause"] != "runqueue"]
    assert not blocked, blocked[0]
