# SPDX-License-Identifier: Apache-2.0
"""Incident 3: logging."""

import re

import pytest

from harness import incidents, waiting

OPTIONS = ("--hang-after", "400ms")


def held_up(run):
    return run.ongoing(lambda stall: "held by exporter" in stall["summary"])


def test_full_pipe(folder):
    """Loop → handler's lock → worker → write → pipe → its reader, and what that waits for."""
    with incidents.run("logs", "broken", folder, *OPTIONS, shape="pipe") as run:
        stall = held_up(run)
        run.stop()
    scene = run.scene
    assert incidents.marked(scene, "loop", stall["culprit"]), stall["culprit"]
    (lock,) = [wait["resource"] for wait in stall["waits"] if wait["ongoing"]]
    worker = next(thread for thread in stall["threads"] if thread["tid"] == lock["holder"]["tid"])
    assert worker["thread"] == "exporter" and worker["syscall"] == "write"
    assert worker["resource"]["kind"] == "pipe"
    assert worker["resource"]["path"] == str(folder / "app.log")
    assert worker["resource"]["peer"] == {"pid": scene.peers["shipper"], "comm": "log-shipper"}
    assert stall["peer"]["pid"] == scene.peers["shipper"]
    assert any(incidents.marked(scene, "shipper", frame) for frame in stall["peer"]["thread"]["stack"]["python"])
    said = (
        rf"waits for logging\.Handler\.lock held by exporter \(tid {worker['tid']}\) at broken\.py:{scene.causes['worker'].line}, "
        rf"which is in write\(\) to a full FIFO {folder}/app\.log read by log-shipper \(pid {scene.peers['shipper']}\), "
        rf"which is waiting to send to 127\.0\.0\.1:\d+ of .* at shipper\.py:{scene.causes['shipper'].line}"
        r"(, which itself waits for an answer from this process at scene\.py:\d+)?; "  # the test, which asks /health
        rf"in health \({scene.causes['loop'].file}:{scene.causes['loop'].line}\)"
    )
    assert re.search(said, stall["summary"]), stall["summary"]
    chain = run.text.partition("who holds it up\n")[2].splitlines()
    assert re.search(rf"exporter \(tid {worker['tid']}\) .*, which is in write\(\) to a full FIFO", chain[1]), chain[:3]
    assert re.search(r"^ +log-shipper \(pid \d+\), which is waiting to send to 127\.0\.0\.1:\d+", chain[2]), chain[:3]


def test_stalled_disk(folder):
    """Loop → handler's lock → worker → fsync of the log."""
    with incidents.run("logs", "broken", folder, *OPTIONS, shape="disk") as run:
        stall = run.ongoing(lambda stall: "held by exporter" in stall["summary"] and "in fsync() of" in stall["summary"])
        incidents.for_a_while(2)
        recording = run.stop()
    scene = run.scene
    assert incidents.marked(scene, "loop", stall["culprit"]), stall["culprit"]
    place = scene.causes["fsync"]
    path = folder / "disk" / "app.log"
    said = rf"held by exporter \(tid \d+\) at durable\.py:{place.line}, which is in fsync\(\) of {path}"
    assert re.search(said, stall["summary"]), stall["summary"]
    worker = next(thread for thread in stall["threads"] if thread["thread"] == "exporter")
    assert worker["cause"] == "file_io" and worker["resource"]["path"] == str(path)
    # The loop's own turn at the disk, once it has the lock.
    assert incidents.line(scene, recording, "fsync", "file_io")["on"] == str(path)


def test_big_file(folder):
    with incidents.run("logs", "broken", folder, shape="report") as run:
        incidents.for_a_while(4)
        recording = run.stop()
    scene = run.scene
    reads = [stall for stall in recording.stalls() if incidents.marked(scene, "report", stall["culprit"])]
    assert reads and {stall["cause"] for stall in reads} == {"file_io"}
    path = str(folder / "disk" / "report.csv")
    for stall in reads:
        assert f"in read() of {path}" in stall["summary"], stall["summary"]
    assert incidents.line(scene, recording, "report", "file_io")["on"] == path


@pytest.mark.parametrize("shape", ["pipe", "disk", "report"])
def test_mended(shape, folder):
    with incidents.run("logs", "mended", folder, *OPTIONS, shape=shape) as run:
        before = waiting.delay_ns(run.scene.pid)
        incidents.for_a_while(4)
        delay = waiting.delay_ns(run.scene.pid) - before
        recording = run.stop()
    incidents.nothing(run, delay, *run.scene.causes)
    (loop,) = recording.summary["loops"]
    assert loop["iterations"] > 10
