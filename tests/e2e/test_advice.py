# SPDX-License-Identifier: Apache-2.0
"""What to do about a stall: said where it is sure, and only there."""

import contextlib
import socket

from harness import places, snoop, target

ADVICE = {
    "sleep": "time.sleep() on the event loop: use await asyncio.sleep()",
    "run": "a child process is waited for on the event loop: use asyncio.create_subprocess_exec",
    "system": "a child process is waited for on the event loop: use asyncio.create_subprocess_exec",
    "request": "a synchronous HTTP request on the event loop: use an async client, or run it in a thread (asyncio.to_thread)",
    "raw_http": "a synchronous HTTP request on the event loop: use an async client, or run it in a thread (asyncio.to_thread)",
    "raw_socket": "a blocking socket call on the event loop: use asyncio's streams, or run it in a thread (asyncio.to_thread)",
    "look_up": "a blocking DNS look-up on the event loop: use loop.getaddrinfo(), or a client that does",
    "sqlite": "a synchronous SQLite call on the event loop: run it in a thread (asyncio.to_thread)",
    "future": "a thread's result is waited for on the event loop: await asyncio.wrap_future(future)",
    "join": "a thread's end is waited for on the event loop: await asyncio.to_thread(thread.join)",
    "get": "a thread's queue is waited for on the event loop: use asyncio.Queue, or run it in a thread (asyncio.to_thread)",
    "log": "logging blocks the event loop: log through logging.handlers.QueueHandler and let a QueueListener write",
    "read": "blocking file I/O on the event loop: run it in a thread (asyncio.to_thread)",
    "compute": "computing on the event loop: run it in another process (a ProcessPoolExecutor), or in pieces, awaiting in between",
}
NAME_SERVER = "127.77.42.1"


@contextlib.contextmanager
def silent_name_server():
    """That never answers; port 53 is no other program's at that address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((NAME_SERVER, 53))
        yield


def stalls_of(folder, *names):
    """By name, the stall of each way to block."""
    (folder / "resolv.conf").write_text(f"nameserver {NAME_SERVER}\noptions timeout:1 attempts:1\n")
    (folder / "nsswitch.conf").write_text("hosts: dns\n")
    script = places.PYTHON_TARGETS / "advised.py"
    binds = " && ".join(f"mount --bind {folder}/{name} /etc/{name}" for name in ("resolv.conf", "nsswitch.conf"))
    command = ["unshare", "-m", "sh", "-c", f'{binds} && exec "$@"', "sh", places.SYSTEM_PYTHON, "-B", script, folder, *names]
    with silent_name_server(), target.Target(command, folder) as process:
        process.hear("ready")
        with snoop.Snoop("-p", process.pid, folder=folder) as snooping:
            snooping.session()
            process.go()
            said = []
            while not said or said[-1] != "done":
                said.append(process.hear(("did", "done")))
            recording = snooping.stop()
    found = {}
    for line in said[:-1]:
        _, name, begin, end = line.split()
        inside = [s for s in recording.stalls() if s["start_ns"] <= int(begin) and s["start_ns"] + s["duration_ns"] >= int(end) - 1_000_000]
        assert inside, (name, [stall["summary"] for stall in recording.stalls()])
        found[name] = inside[0]
    return found


def test_asyncio(folder):
    found = stalls_of(folder, *ADVICE)
    assert {name: stall.get("advice") for name, stall in found.items() if stall["cause"] != "runqueue"} == {
        name: text for name, text in ADVICE.items() if found[name]["cause"] != "runqueue"
    }
    for name, stall in found.items():
        assert stall["culprit"]["function"] == name, stall["summary"]


def test_none_without_an_event_loop(folder):
    """A program that is meant to block gets no advice about loops."""
    for stall in stalls_of(folder, "plain", "sleep", "request", "run").values():
        assert "advice" not in stall, stall["advice"]
