# SPDX-License-Identifier: Apache-2.0
"""Incident 5, second half: a development server that restarts its worker because it writes into the watched folder."""

import re

from harness import incidents, waiting
from stages import scene as scenes

LEAST_RESTARTS = 3


def exits(run):
    return sum(record["type"] == "exit" for record in run.snooping.records)


def test_restarts_are_reported(folder):
    with incidents.run("reload", "broken", folder) as run:
        waiting.until(lambda: exits(run) >= LEAST_RESTARTS, "workers to be restarted")
        recording = run.stop()
    scene, summary = run.scene, recording.summary
    written = str(folder / "shop" / "build_info.py")
    (restarts,) = [each for each in summary["restarts"] if len(each["workers"]) >= LEAST_RESTARTS]
    lives = {life["pid"]: life for life in summary["processes"]}
    reloader = lives[restarts["parent"]]
    assert reloader["parent"] is None and "--reload" in reloader["command"]
    assert restarts["served"] == [] and restarts["loops"] == 0
    assert 0 < restarts["shortest_ns"] <= restarts["longest_ns"] < 20e9
    assert restarts["ended_by"]["signal"] == "SIGTERM" and restarts["ended_by"]["pid"] == restarts["parent"]
    assert restarts["doing"].startswith("sleeping") and incidents.marked(scene, "loading", restarts["culprit"]), restarts
    assert restarts["file"]["path"] == written and restarts["file"]["by_worker"] is True
    assert restarts["file"]["count"] >= len(restarts["workers"]) - 1, "the last one may have been ended by this test"
    for pid in restarts["workers"]:
        assert lives[pid]["ended"] and lives[pid]["accepted"] == 0 and not lives[pid]["loop"]
    place = scene.causes["loading"]
    count = len(restarts["workers"])
    assert re.search(rf"{count} workers of \S+ \(pid {restarts['parent']}\) lived .* s; none of them served: none came to an event loop", run.text)
    assert re.search(rf"ended by SIGTERM of \S+ \(pid {restarts['parent']}\) .* sleeping .* \({place.file}:{place.line}\)", run.text)
    assert f"before the end {written} had been opened for writing by the worker itself" in run.text


def test_mended(folder):
    with incidents.run("reload", "mended", folder) as run:
        waiting.until(lambda: scenes.get(run.scene.port, "/health", timeout=1) == 200, "the service")
        incidents.for_a_while(2)
        recording = run.stop()
    assert not recording.summary["restarts"]
    served = [life for life in recording.summary["processes"] if life["accepted"]]
    assert len(served) == 1 and served[0]["loop"]
    assert "none of them served" not in run.text
