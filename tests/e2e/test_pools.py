# SPDX-License-Identifier: Apache-2.0
"""Pools of real client libraries: who waits for a connection waits for that pool, by its name, and who has it is named."""

import contextlib
import json
import socket
import subprocess

import pytest
from harness import places, waiting

LIBRARIES = ["asyncpg", "asyncpg_timeout", "sqlalchemy", "psycopg_pool", "redis", "httpx", "aiohttp"]
SCRIPT = places.PYTHON_TARGETS / "pools.py"


@contextlib.contextmanager
def mute():
    """A server that accepts nothing and never answers; the kernel takes the connection. Its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def port_of(library, request):
    if library == "redis":
        return request.getfixturevalue("redis_port")
    if library in ("httpx", "aiohttp"):
        return request.getfixturevalue("mute_port")
    return int(dict(part.split("=") for part in request.getfixturevalue("postgres").split())["port"])


@pytest.fixture
def mute_port():
    with mute() as port:
        yield port


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("library", LIBRARIES)
def test_pool(library, loop, request):
    command = [places.SYSTEM_PYTHON, "-B", str(SCRIPT), library, str(port_of(library, request)), loop]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        assert line, "the target has ended"
        truth = json.loads(line)
        waiting.until(lambda: waiting.state_of(process.pid, process.pid) == "S", "the target to be idle")
        run = subprocess.run([places.LOOPSNOOP, "tasks", "-p", str(process.pid), "--json"], capture_output=True, text=True, timeout=60, check=True)
    finally:
        process.kill()
        process.wait()
    tasks = {task["name"]: task for one in json.loads(run.stdout)["loops"] for task in one["tasks"]}

    def line_in(task):
        return next(frame["line"] for frame in task["stack"]["python"] if frame["file"] == str(SCRIPT))

    assert line_in(tasks["holds"]) == truth["holds"]
    assert tasks["holds"]["waits_for"]["kind"] == "socket", tasks["holds"]["waits_for"]
    for number in range(5):
        task = tasks[f"wants-{number}"]
        assert line_in(task) == truth["wants"]
        waits_for = task["waits_for"]
        assert (waits_for["kind"], waits_for.get("type")) == ("pool", truth["type"]), waits_for
        assert [holder["name"] for holder in waits_for.get("holders", [])] == ["holds"], waits_for
