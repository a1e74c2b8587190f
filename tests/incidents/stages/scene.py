# SPDX-License-Identifier: Apache-2.0
"""What all incidents have in common."""
import contextlib
import dataclasses
import http.client
import os
import pathlib
import re
import subprocess
import sys
import threading
import time

FOLDER = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(FOLDER.parent / "e2e"))

from harness import servers, waiting  # noqa: E402

PYTHON = "/usr/bin/python3"
MARK = re.compile(r"# <- cause: (\w+)$")


@dataclasses.dataclass
class Place:
    file: str
    line: int

    def is_of(self, frame):
        return frame is not None and (frame["file"], frame["line"]) == (self.file, self.line)


def causes(folder, variant):
    """By name, the lines of an application that are marked as the cause of something."""
    found = {}
    for path in sorted(folder.glob("*.py")):
        if path.stem in {"broken", "mended"} - {variant}:
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if named := MARK.search(line):
                found[named[1]] = Place(str(path), number)
    return found


@dataclasses.dataclass
class Scene:
    """An incident that is going on. `follow`: loopsnoop's arguments that say what to follow."""

    follow: list
    causes: dict
    pid: int = 0
    port: int = 0
    peers: dict = dataclasses.field(default_factory=dict)  # by name, pid
    environment: dict = dataclasses.field(default_factory=dict)  # of a command that loopsnoop starts
    folder: pathlib.Path = None  # the command's working directory
    begin: object = lambda: None  # what makes the trouble, once somebody watches


def environment(**more):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return {**kept, "PYTHONDONTWRITEBYTECODE": "1", **{name: str(value) for name, value in more.items()}}


@contextlib.contextmanager
def process(command, folder, name, comes_up=lambda: True, pass_fds=(), **settings):
    """A process of the scene, its output in a file; yields the Popen."""
    with open(folder / f"{name}.log", "wb") as log:
        running = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment(**settings),
            cwd=folder,
            pass_fds=pass_fds,
        )
    try:
        waiting.until(lambda: running.poll() is not None or comes_up(), name)
        assert running.poll() is None, (folder / f"{name}.log").read_text()
        yield running
    finally:
        running.kill()
        running.wait()


@contextlib.contextmanager
def uvicorn(folder, application_folder, variant, **settings):
    """Yields (pid, port)."""
    port = servers.free_port()
    command = [PYTHON, "-m", "uvicorn", "--app-dir", application_folder, f"{variant}:app", "--host", "127.0.0.1", "--port", port]
    command += ["--loop", "asyncio", "--log-level", "warning"]
    with process(command, folder, "application", lambda: servers.accepts(port), **settings) as running:
        yield running.pid, port


def get(port, path, method="GET", body=None, headers=None, timeout=10.0):
    """The HTTP status, or None when there was no answer in time."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    except OSError:
        return None
    finally:
        connection.close()


class Crowd:
    """Threads that do something again and again until the context ends."""

    def __init__(self):
        self.over = threading.Event()
        self.threads = []

    def __enter__(self):
        return self

    def __exit__(self, *_about):
        self.over.set()
        for thread in self.threads:
            thread.join()

    def repeat(self, what, every):
        """`what(number)` every so many seconds; its exceptions end it quietly once the scene is over."""

        def work():
            number = 0
            while not self.over.is_set():
                with contextlib.suppress(OSError, http.client.HTTPException):
                    what(number)
                number += 1
                self.over.wait(every)

        thread = threading.Thread(target=work)
        self.threads.append(thread)
        thread.start()


def took(what):
    """In seconds."""
    started = time.monotonic()
    what()
    return time.monotonic() - started


def health(port, count=15, patience=2.0):
    """A sentence about what a health check sees."""
    took_ms, late = [], 0
    for _ in range(count):
        started = time.monotonic()
        late += get(port, "/health", timeout=patience) is None
        took_ms.append((time.monotonic() - started) * 1000)
        time.sleep(max(0.0, 0.1 - took_ms[-1] / 1000))
    took_ms.sort()
    without = f", {late} without an answer within {patience:.0f} s" if late else ""
    return f"{count} times GET /health: median {took_ms[count // 2]:.0f} ms, slowest {took_ms[-1]:.0f} ms{without}"
