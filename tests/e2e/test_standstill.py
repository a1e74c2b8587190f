# SPDX-License-Identifier: Apache-2.0
"""A loop that is idle, or goes round, while customers wait; and all the idle ones with which nothing is wrong."""

import contextlib
import json
import socket
import subprocess
import time

import pytest

from harness import servers, snoop, waiting
from harness.standing import REQUEST, Standing

S = 1_000_000_000
STUCK_AFTER_S = 2
LOOPS = [[], ["--uvloop"]]
NAMES = ["asyncio", "uvloop"]


def first_standstill(snooping):
    return snooping.wait_for(lambda record: record["type"] == "standstill", "standstill")


def follow(target, folder):
    return snoop.Snoop("-p", target.pid, "--stuck-after", f"{STUCK_AFTER_S}s", folder=folder)


@pytest.mark.parametrize("loop", LOOPS, ids=NAMES)
def test_not_accepted(loop, folder):
    with Standing(folder, "not_accepted", loop) as target:
        with follow(target, folder) as snooping:
            snooping.session()
            target.ask(times=3)
            asked_ns = time.monotonic_ns()
            found = first_standstill(snooping)
            recording = snooping.stop()
    assert found["kind"] == "not_accepted" and found["certain"] is True
    assert found["phase"] == "ongoing"
    assert found["clients"]["not_accepted"] == 3
    assert found["clients"]["unanswered"] == 0
    assert abs(found["start_ns"] - asked_ns) < S
    assert found["duration_ns"] >= STUCK_AFTER_S * S
    assert "3 connections wait to be accepted" in found["summary"]
    ends = [record for record in recording.of("standstill") if record["phase"] == "ended"]
    assert [end["id"] for end in ends] == [found["id"]]
    assert ends[0]["truncated"] == "session_end"
    (waited,) = recording.summary["waited_for"]
    assert waited["pid"] == target.pid and waited["clients"]["not_accepted"] == 3
    assert f"loopsnoop tasks -p {target.pid}" in snooping.text()


@pytest.mark.parametrize("loop", LOOPS, ids=NAMES)
def test_spin(loop, folder):
    with Standing(folder, "spin", loop) as target:
        with follow(target, folder) as snooping:
            snooping.session()
            target.connect().close()
            found = first_standstill(snooping)
            snooping.stop()
    assert found["kind"] == "spin"
    assert found["spin"]["iterations_per_s"] > 1000
    assert found["spin"]["resource"]["state"] == "CLOSE_WAIT"
    assert "times a second without sleeping" in found["summary"]


@pytest.mark.parametrize("mode, resource", [("spin_pipe", "pipe"), ("spin_unix", "socket")])
def test_spin_on_an_end_that_is_closed(mode, resource, folder):
    with Standing(folder, mode, LOOPS[0]) as target:
        with follow(target, folder) as snooping:
            snooping.session()
            found = first_standstill(snooping)
            snooping.stop()
    assert found["kind"] == "spin"
    assert found["spin"]["resource"]["kind"] == resource
    assert found["culprit"]["function"] == "Deaf.ready"
    assert "which stays ready, in Deaf.ready" in found["summary"]


def test_silent_server_of_any_runtime(folder):
    """Nothing but sockets is known of it: redis that is paused for all clients."""
    port = servers.free_port()
    redis = subprocess.Popen(
        ["redis-server", "--port", str(port), "--save", "", "--dir", str(folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        waiting.until(lambda: servers.accepts(port), "redis")
        with snoop.Snoop("-p", redis.pid, "--stuck-after", f"{STUCK_AFTER_S}s", folder=folder) as snooping:
            snooping.session()
            with contextlib.ExitStack() as open_ones:
                connections = [open_ones.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(3)]
                connections[0].sendall(b"CLIENT PAUSE 60000 ALL\r\n")
                assert connections[0].recv(10) == b"+OK\r\n"
                for connection in connections[1:]:
                    connection.sendall(b"SET greeting 0123456789012345678901234567890123456789\r\n")
                found = first_standstill(snooping)
                recording = snooping.stop()
    finally:
        redis.kill()
        redis.wait()
    assert found["kind"] == "no_answer" and found["certain"] is False
    assert found["clients"]["unanswered"] == 2
    assert "probably" in found["summary"]
    assert recording.of("standstill")[-1]["phase"] == "ended"


def test_never_when_told_so(folder):
    with Standing(folder, "not_accepted") as target:
        with snoop.Snoop("-p", target.pid, "--stuck-after", "0", "-d", "5s", folder=folder) as snooping:
            snooping.session()
            target.ask(times=3)
            recording = snooping.finish()
    assert not recording.of("standstill")
    assert "waited_for" not in recording.summary


def test_ends_when_they_are_accepted(folder):
    """The end is reported once, and when."""
    script = (
        "import asyncio, socket, json, sys\n"
        "listener = socket.create_server(('127.0.0.1', 0))\n"
        "print(json.dumps({'port': listener.getsockname()[1]}), flush=True)\n"
        "async def main():\n"
        "    await asyncio.sleep(6)\n"
        "    listener.setblocking(False)\n"
        "    await asyncio.start_server(lambda reader, writer: writer.write(b'hello'), sock=listener)\n"
        "    await asyncio.sleep(3600)\n"
        "asyncio.run(main())\n"
    )
    (folder / "late.py").write_text(script)
    server = subprocess.Popen(["/usr/bin/python3", folder / "late.py"], stdout=subprocess.PIPE, text=True)
    try:
        port = json.loads(server.stdout.readline())["port"]
        with snoop.Snoop("-p", server.pid, "--stuck-after", f"{STUCK_AFTER_S}s", folder=folder) as snooping:
            snooping.session()
            with socket.create_connection(("127.0.0.1", port)) as customer:
                snooping.wait_for(lambda record: record["type"] == "standstill" and record["phase"] == "ended", "end of the standstill")
                assert customer.recv(10) == b"hello"
                recording = snooping.stop()
    finally:
        server.kill()
        server.wait()
        server.stdout.close()
    records = recording.of("standstill")
    assert {record["id"] for record in records} == {records[0]["id"]}
    assert [record["phase"] for record in records].count("ended") == 1
    assert records[-1]["truncated"] is None
    ages = [record["duration_ns"] for record in records if record["phase"] == "ongoing"]
    assert all(later >= 1.5 * earlier for earlier, later in zip(ages, ages[1:])), ages


def talk(target, mode):
    """What a customer of a healthy server does."""
    if mode == "workers":
        return
    if mode == "log_sink":
        for _ in range(40):
            target.connections or target.connect()
            target.connections[0].sendall(b"<13>1 something was logged\n")
            time.sleep(0.01)
        return
    target.ask(times=3)
    if mode == "socket_messages":
        assert target.connections[0].recv(1000)
        target.connections[0].sendall(b"a message of a customer that nobody answers, in one line\n")


HEALTHY = ["keep_alive", "long_poll", "long_poll_queue", "events", "socket_messages", "log_sink", "workers"]


@pytest.mark.parametrize("loop", LOOPS, ids=NAMES)
@pytest.mark.parametrize("mode", HEALTHY)
def test_healthy(mode, loop, folder):
    """Others are answered meanwhile, as people's browsers and a load balancer would be."""
    with Standing(folder, mode, loop) as target:
        with snoop.Snoop("-p", target.pid, "--stuck-after", "1s", folder=folder) as snooping:
            snooping.session()
            talk(target, mode)
            for _ in range(8):
                if mode not in ("workers", "log_sink"):
                    target.healthy()
                time.sleep(0.5)
            recording = snooping.stop()
    assert not recording.of("standstill"), recording.of("standstill")[0]["summary"]


def test_healthy_servers_of_other_runtimes(folder):
    """nginx, redis and Node with open, idle and waiting connections: for a minute."""
    port, redis_port = servers.free_port(), servers.free_port()
    node = (
        "const http = require('http');"
        "http.createServer((q, s) => { if (q.url === '/events') { s.write(': hello\\n\\n'); } else { s.end('ok'); } })"
        f".listen({port}, '127.0.0.1');"
    )
    targets = [
        subprocess.Popen(["node", "-e", node]),
        subprocess.Popen(["redis-server", "--port", str(redis_port), "--save", ""], stdout=subprocess.DEVNULL, cwd=folder),
    ]
    try:
        for each in (port, redis_port):
            waiting.until(lambda: servers.accepts(each), "a server")
        pids = ",".join(str(target.pid) for target in targets)
        with snoop.Snoop("-p", pids, "--stuck-after", "2s", folder=folder) as snooping:
            snooping.session()
            with contextlib.ExitStack() as open_ones:

                def connect(to):
                    return open_ones.enter_context(socket.create_connection(("127.0.0.1", to), timeout=10))

                events, idle, talker = connect(port), connect(port), connect(port)
                events.sendall(REQUEST % b"/events")
                subscriber, worker = connect(redis_port), connect(redis_port)
                subscriber.sendall(b"SUBSCRIBE news\r\n")
                worker.sendall(b"PING\r\n")
                worker.recv(100)
                for _ in range(30):
                    talker.sendall(REQUEST % b"/")
                    assert talker.recv(1000)
                    time.sleep(2)
                idle.close()
            recording = snooping.stop()
    finally:
        for target in targets:
            target.kill()
            target.wait()
    assert not recording.of("standstill"), recording.of("standstill")[0]["summary"]
    assert len(recording.of("loop")) >= 2
