# SPDX-License-Identifier: Apache-2.0
"""The servers that are measured and the load on them: server on core 0, load on core 1, loopback only."""
import os
import re
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

SERVER_CORE, OTHER_CORE = "0", "1"
HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Workload:
    name: str
    about: str
    server: Callable[[int, Path], list]  # (port, scratch) -> command line
    load: Callable[[int, float], "Load"]  # (port, seconds) -> what was served


@dataclass(frozen=True)
class Load:
    requests: int
    seconds: float


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def on_core(core, command):
    return ["taskset", "-c", core, *command]


def run_load(command):
    return subprocess.run(on_core(OTHER_CORE, command), check=True, capture_output=True, text=True, timeout=120).stdout


def wrk(connections):
    def load(port, seconds):
        output = run_load(["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", f"http://127.0.0.1:{port}/"])
        served = re.search(r"(\d+) requests in ([\d.]+)(ms|s|m),", output)
        if not served:
            raise RuntimeError(f"wrk printed no count of requests: {output!r}")
        return Load(int(served[1]), float(served[2]) * {"ms": 0.001, "s": 1, "m": 60}[served[3]])

    return load


def redis_benchmark(connections):
    rate = 0.0  # requests/s of the last run: redis-benchmark wants a number of requests, not a time

    def run(port, requests):
        started = time.monotonic()
        run_load(["redis-benchmark", "-h", "127.0.0.1", "-p", str(port), "-t", "get", "-c", str(connections), "-n", str(requests), "-q"])
        return Load(requests, time.monotonic() - started)

    def load(port, seconds):
        nonlocal rate
        if not rate:
            first = run(port, 2000)
            second = run(port, max(2000, int(first.requests / first.seconds)))
            rate = second.requests / second.seconds
        served = run(port, max(1000, int(rate * seconds)))
        rate = served.requests / served.seconds
        return served

    return load


def redis_server(port, scratch):
    return ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(scratch)]


def uvicorn(loop, app="hello:app"):
    def server(port, _scratch):
        return ["/usr/bin/uvicorn", "--app-dir", str(HERE), "--host", "127.0.0.1", "--port", str(port), "--loop", loop, "--http", "h11",
                "--no-access-log", "--log-level", "warning", app]

    return server


WORKLOADS = (
    Workload("redis", "redis-server, 50 connections, full load", redis_server, redis_benchmark(50)),
    Workload("redis-1", "redis-server, one connection", redis_server, redis_benchmark(1)),
    Workload("asyncio", "uvicorn on asyncio, 16 connections, full load", uvicorn("asyncio"), wrk(16)),
    Workload("asyncio-1", "uvicorn on asyncio, one connection", uvicorn("asyncio"), wrk(1)),
    Workload("uvloop", "uvicorn on uvloop, 16 connections, full load", uvicorn("uvloop"), wrk(16)),
    Workload("gil", "uvicorn on asyncio, sync endpoint in the thread pool, 16 connections, full load", uvicorn("asyncio", "sync_app:app"), wrk(16)),
)


class Server:
    """A started server; stopped when the with statement ends."""

    def __init__(self, workload, scratch):
        self.port = free_port()
        self.log = scratch / f"{workload.name}.log"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(on_core(SERVER_CORE, workload.server(self.port, scratch)), stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, env=environment)

    @property
    def pid(self):
        return self.process.pid  # taskset becomes the server

    def __enter__(self):
        ends = time.monotonic() + 10
        while time.monotonic() < ends and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            except OSError:
                time.sleep(0.05)
        self.__exit__()
        raise RuntimeError(f"the server did not come up: {self.log.read_text()[-300:]!r}")

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
