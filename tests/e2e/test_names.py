# SPDX-License-Identifier: Apache-2.0
"""A process goes by what people call it: in text, records and metrics, and as it is asked for."""

import contextlib
import fcntl
import os
import pty
import re
import struct
import subprocess
import termios

import pytest

from harness import dump, places, snoop

MODULE = f"shop{os.getpid()}"  # of this run alone: others may run on this machine
APPLICATION = """
import asyncio, time

async def main():
    print("ready", flush=True)
    while True:
        await asyncio.sleep(0.2)
        time.sleep(0.3)

def app():
    asyncio.run(main())

if __name__ == "__main__":
    app()
"""
IN_A_THREAD = """
import asyncio, threading, time
async def agent():
    while True:
        await asyncio.sleep(0.1)
        time.sleep(0.3)
threading.Thread(target=lambda: asyncio.run(agent()), name="agent-loop").start()
print("ready", flush=True)
"""
# As setproctitle does it: the arguments are written over.
TITLED = """
import ctypes, sys
stat = open("/proc/self/stat").read().rsplit(")", 1)[1].split()
begin, end = int(stat[45]), int(stat[46])
title = b"gunicorn: worker [shop]"
ctypes.memset(begin, 0, end - begin)
ctypes.memmove(begin, title, min(len(title), end - begin - 1))
sys.path.insert(0, FOLDER)
import shop
shop.app()
"""


@contextlib.contextmanager
def running(*command, cwd=None):
    process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, cwd=cwd)
    try:
        assert process.stdout.readline() == b"ready\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture
def shop(folder):
    for name in (MODULE, "shop"):
        (folder / f"{name}.py").write_text(APPLICATION, encoding="utf-8")
    (folder / "titled.py").write_text(TITLED.replace("FOLDER", repr(str(folder))), encoding="utf-8")
    return folder


def test_a_module_is_named_in_records_and_text_and_found_by_its_name(shop):
    with running(places.SYSTEM_PYTHON, "-m", MODULE, cwd=shop) as server:
        with snoop.Snoop("-p", MODULE, "-d", "1500ms", folder=shop) as snooping:
            recording = snooping.finish()
        assert dump.take(server.pid)["service"] == MODULE
        shown = dump.text(server.pid)
    (loop,) = recording.of("loop")
    assert (loop["pid"], loop["service"], loop["comm"]) == (server.pid, MODULE, "python3")
    assert loop["command"] == f"{places.SYSTEM_PYTHON} -m {MODULE}"
    stall = recording.stalls()[0]
    assert (stall["service"], stall["command"]) == (loop["service"], loop["command"])
    assert f"following python -m {MODULE} (pid {server.pid}): CPython" in snooping.text()
    assert shown.startswith(f"python -m {MODULE} (pid {server.pid}): ")


def test_a_title_goes_before_the_script(shop):
    with running(places.SYSTEM_PYTHON, shop / "titled.py", "x" * 40) as worker:
        with snoop.Snoop("--comm", "^gunicorn", "-d", "2s", folder=shop) as snooping:
            recording = snooping.finish()
    assert {loop["pid"]: loop["service"] for loop in recording.of("loop")}.get(worker.pid) == "gunicorn: worker [shop]"
    assert "gunicorn: worker [shop]" in snooping.text() and "no process that runs now" not in snooping.text()


def test_what_is_not_there_is_said(shop):
    gone = subprocess.Popen(["true"])
    gone.wait()
    with running(places.SYSTEM_PYTHON, shop / "shop.py") as server:
        with snoop.Snoop("-p", gone.pid, "-p", server.pid, "-d", "1s", folder=shop) as snooping:
            assert [loop["pid"] for loop in snooping.finish().of("loop")] == [server.pid]
        assert f"process {gone.pid}, which was named: there is no such process (any more); the others are followed" in snooping.text()
    with snoop.Snoop("--comm", "^no-such-server$", "-d", "500ms", folder=shop) as snooping:
        snooping.finish()
    assert "no process that runs now has a name that matches '^no-such-server$'" in snooping.text()
    nobody = snoop.run_plain("-p", "no-such-server", "-d", "1s")
    assert nobody.returncode == 1 and "cannot find a process that goes by" in nobody.stderr, nobody


def in_terminal(columns, *arguments):
    """What loopsnoop writes to a terminal of that width."""
    own, other = pty.openpty()
    fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    process = subprocess.Popen(
        [str(places.LOOPSNOOP), *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=other, stderr=other, env={**os.environ, "TERM": "xterm"}
    )
    os.close(other)
    text = b""
    with contextlib.suppress(OSError):
        while piece := os.read(own, 65536):
            text += piece
    os.close(own)
    assert process.wait() == 0, text
    text = re.sub(r"\x1b\[[0-9;]*[mK]", "", text.decode())
    return [line for line in re.split(r"[\r\n]+", text) if line]


@pytest.mark.parametrize("columns", [80, 100, 200])
def test_lines_fit_the_terminal(columns, shop):
    deep = shop / ("a-rather-long-folder-name/" * 4)
    deep.mkdir(parents=True)
    (deep / "shop.py").write_text(APPLICATION, encoding="utf-8")
    with running(places.SYSTEM_PYTHON, deep / "shop.py") as server:
        lines = in_terminal(columns, "-p", server.pid, "-d", "1500ms")
        lines += in_terminal(columns, "dump", "-p", server.pid)
    assert not [line for line in lines if len(line) > columns]
    text = "\n".join(lines)
    assert "shop.py:8" in re.sub(r"\s+", "", text) and "sleeping" in text


def test_a_loop_in_a_thread_goes_by_the_name_that_python_has(folder):
    script = folder / "shop.py"
    script.write_text(IN_A_THREAD, encoding="utf-8")
    with running(places.SYSTEM_PYTHON, script) as server:
        with snoop.Snoop("-p", server.pid, "-d", "1500ms", folder=folder) as snooping:
            recording = snooping.finish()
    assert [loop["thread"] for loop in recording.of("loop")] == ["agent-loop"]
    assert recording.stalls() and {stall["thread"] for stall in recording.stalls()} == {"agent-loop"}
