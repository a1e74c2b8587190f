# SPDX-License-Identifier: Apache-2.0
"""A real uvicorn with a FastAPI application under load: its two blocking lines are named, and nothing else is."""

import contextlib
import re
import subprocess
import threading

import psycopg2
import pytest
import redis

from harness import match, places, servers, snoop, waiting

APPLICATION = places.PYTHON_TARGETS / "server_app.py"
PAUSE_MS = 300


def blocking_lines():
    """{function: line} of the application's marked lines."""
    found, function = {}, None
    for number, line in enumerate(APPLICATION.read_text(encoding="utf-8").splitlines(), 1):
        if named := re.match(r"(?:async )?def (\w+)", line):
            function = named[1]
        if line.endswith("# <- blocks"):
            found[function] = number
    return found


@pytest.fixture
def slow_commit(postgres):
    """Every commit takes 130 ms: a deferred trigger dawdles."""
    with contextlib.closing(psycopg2.connect(postgres)) as connection, connection.cursor() as cursor:
        cursor.execute(
            """
            drop table if exists gateway_audit;
            create table gateway_audit (path text);
            create or replace function dawdle() returns trigger language plpgsql as
                $$ begin perform pg_sleep(0.13); return null; end $$;
            create constraint trigger slow after insert on gateway_audit deferrable initially deferred
                for each row execute function dawdle();
            """
        )
        connection.commit()


@pytest.fixture
def slow_redis(redis_port):
    """Redis does not answer for 300 ms of each 400 ms."""
    client = redis.Redis("127.0.0.1", redis_port)
    over = threading.Event()

    def pause():
        while not over.wait(0.4):
            client.execute_command("CLIENT", "PAUSE", PAUSE_MS, "ALL")

    pauser = threading.Thread(target=pause)
    pauser.start()
    yield
    over.set()
    pauser.join()


def follow_under_load(postgres, redis_port, folder, loop, healthy, connections, seconds=6):
    environment = {"POSTGRES": postgres, "REDIS": str(redis_port), "HEALTHY": "1" if healthy else "0", "UVICORN_LOOP": loop}
    with servers.uvicorn(folder, places.PYTHON_TARGETS, "server_app:app", environment) as (pid, port):
        with snoop.Snoop("-p", pid, folder=folder) as snooping:
            snooping.session()
            before = waiting.delay_ns(pid)
            load = ["wrk", "-c", str(connections), "-t", "1", "-d", f"{seconds}s", f"http://127.0.0.1:{port}/"]
            subprocess.run(load, check=True, capture_output=True)
            delay = waiting.delay_ns(pid) - before
            recording = snooping.stop()
    return pid, delay, recording


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_both_lines_are_named(loop, postgres, redis_port, slow_commit, slow_redis, folder):
    pid, _, recording = follow_under_load(postgres, redis_port, folder, loop, healthy=False, connections=1)
    lines = blocking_lines()
    wanted = {(function, str(APPLICATION), line) for function, line in lines.items()}
    stalls = recording.stalls()
    assert len(stalls) >= 11
    assert {stall["cause"] for stall in stalls} == {"socket"}
    waited = {}
    for stall in stalls:
        assert stall["tid"] == pid
        culprit = stall["culprit"]
        assert (culprit["function"], culprit["file"], culprit["line"]) in wanted, culprit
        for wait in stall["waits"]:
            if wait["duration_ns"] < 50 * match.MS:
                continue
            own = [frame for frame in wait["stack"]["python"] if frame["file"] == str(APPLICATION)]
            place = (own[0]["function"], own[0]["file"], own[0]["line"])
            waited.setdefault(place, set()).add(wait["resource"]["peer"]["comm"])
            match.check_native(wait["stack"])
    assert waited == {
        ("write_audit", str(APPLICATION), lines["write_audit"]): {"postgres"},
        ("read_limit", str(APPLICATION), lines["read_limit"]): {"redis-server"},
    }
    named = {(stall["culprit"]["function"]) for stall in stalls}
    assert named == set(lines)


def test_mended_server_has_no_stall(postgres, redis_port, slow_commit, slow_redis, folder):
    """The same calls off the loop's thread."""
    _, delay, recording = follow_under_load(postgres, redis_port, folder, "asyncio", healthy=True, connections=4, seconds=4)
    match.hold([], recording, match.Expectation(run_delay_ns=delay))
    (loop,) = recording.summary["loops"]
    assert loop["iterations"] > 20
