# SPDX-License-Identifier: Apache-2.0
"""Other people's loops, without frame pointers or symbols: Node and redis-server. Their native stacks are complete all the same."""

import os
import subprocess
import threading

import pytest
import redis as redis_client

from harness import follow, match, places, snoop, target, waiting


@pytest.mark.parametrize("wait", ["sleep_sync", "exec_sync", "fifo_read"])
def test_node(wait, folder):
    script = places.TESTS / "targets/node/loop_target.js"
    node = target.Target(["node", script, folder / "truth", wait, "7"], folder, folder / "truth")
    recording = follow.follow(node, folder, check_culprit=False, check_stacks=False)
    # libuv's loop alone; V8's platform has another, of delayed tasks, in a thread of its own.
    assert [loop["tid"] for loop in recording.of("loop")] == [node.pid]
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip().lstrip("v")
    runtime = next(loop for loop in recording.of("loop") if loop["tid"] == node.pid)["runtime"]
    assert runtime["name"] == "node" and runtime["version"] in (version, None)
    for stall in recording.stalls():
        match.check_native(max(stall["waits"], key=lambda each: each["duration_ns"])["stack"])


FUNCTIONS = {
    "declared": "declared",
    "method": "build",
    "getter": "get size",
    "arrow": "arrow",
    "closure": "closure",
    "read": "read",
    "über": "über",
}


def test_functions_of_node(folder):
    """Of a Node that was started like any other: each stall is blamed on the function that blocked, by name, file and first line."""
    script = places.TESTS / "targets/node/computes.mjs"
    lines = {line.split("here: ")[1]: number for number, line in enumerate(script.read_text().splitlines(), 1) if "// here: " in line}
    fifo = folder / "fifo"
    os.mkfifo(fifo)
    with target.Target(["node", script, fifo], folder) as node:
        with snoop.Snoop("-p", node.pid, folder=folder) as snooping:
            snooping.session()
            for word in FUNCTIONS:
                if word == "read":
                    threading.Timer(0.4, lambda: fifo.write_text("x")).start()
                os.write(node.process.stdin.fileno(), f"{word}\n".encode())
                node.hear(word)
            recording = snooping.stop()
    for word, function in FUNCTIONS.items():
        found = [stall for stall in recording.stalls() if match.same_place(stall["culprit"], {"function": function, "file": str(script), "line": lines[word]})]
        assert len(found) == 1, f"{word}: {[(stall['summary'], stall['culprit']) for stall in recording.stalls()]}"
        (stall,) = found
        assert stall["cause"] == ("pipe" if word == "read" else "cpu")
        assert f"in {function} ({script}:{lines[word]})" in stall["summary"]
        stack = (max(stall["waits"], key=lambda wait: wait["duration_ns"]) if word == "read" else stall["cpu"][0])["stack"]
        assert stack["javascript"][-1]["file"].startswith("node:") or stack["javascript"][-1]["file"] == str(script)


def test_workers_of_node(folder):
    """Each worker thread has a loop of its own, which is shown apart from that of the platform's thread."""
    with target.Target(["node", places.TESTS / "targets/node/workers.mjs"], folder) as node:
        node.hear("ready")
        with snoop.Snoop("-p", node.pid, folder=folder) as snooping:
            snooping.session()
            for word in ("first", "main", "second"):
                os.write(node.process.stdin.fileno(), f"{word}\n".encode())
                node.hear(word)
            recording = snooping.stop()
    tids = [loop["tid"] for loop in recording.of("loop")]
    assert len(tids) == len(set(tids)) == 3 and node.pid in tids
    first, main, second = [stall["tid"] for stall in recording.stalls() if stall["culprit"] and stall["culprit"]["function"] == "spin"]
    assert main == node.pid and {first, main, second} == set(tids)


def test_redis(redis_port, folder):
    """DEBUG SLEEP blocks the whole server."""
    client = redis_client.Redis("127.0.0.1", redis_port)
    pid = client.info("server")["process_id"]
    with snoop.Snoop("-p", pid, folder=folder) as snooping:
        snooping.session()
        before = waiting.delay_ns(pid)
        for _ in range(7):
            client.execute_command("DEBUG", "SLEEP", "0.15")
            client.get("nothing")
        client.execute_command("DEBUG", "SLEEP", "0.03")
        client.get("nothing")
        delay = waiting.delay_ns(pid) - before
        recording = snooping.stop()
    stalls = [stall for stall in recording.stalls() if stall["cause"] != "runqueue"]
    assert len(stalls) == 7
    for stall in stalls:
        assert stall["cause"] == "sleep"
        assert abs(match.part(stall, "sleep") - 150 * match.MS) <= match.MS + delay
        (wait,) = [each for each in stall["waits"] if each["cause"] == "sleep"]
        # Not redis-check-rdb, which is what Debian's redis-server is a link to.
        assert [frame["module"].rsplit("/")[-1] for frame in wait["stack"]["native"] if frame["function"] == "main"] == ["redis-server"]
        assert match.differing({"kind": "timer", "requested_ns": 150_000_000}, wait["resource"]) is None
        match.check_native(wait["stack"])
        assert len(wait["stack"]["native"]) > 5
    loop = next(loop for loop in recording.of("loop") if loop["tid"] == pid)
    assert loop["poll"]["syscall"] in ("epoll_wait", "epoll_pwait")
    assert loop["comm"] == "redis-server"
