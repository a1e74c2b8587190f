# SPDX-License-Identifier: Apache-2.0
"""The servers that are measured and the load on them: server on core 0, load on core 1, loopback only."""
import csv
import json
import os
import re
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from machine import OTHER_CORE, SERVER_CORE, on_core

HERE = Path(__file__).resolve().parent
PROGRAMS = Path(os.environ.get("LOOPSNOOP_BUILD", HERE.parents[1] / "build" / "release")) / "tests" / "bench"
UNITS_MS = {"us": 0.001, "ms": 1, "s": 1000, "m": 60000}


@dataclass(frozen=True)
class Workload:
    name: str
    about: str
    server: Callable[[int, Path], list]  # (port, scratch) -> command line
    load: Callable[[int, float, object], "Load"]  # (port, seconds, a pace.Pace or None) -> what was served
    bar: float  # what CPU time per request may be, followed / bare
    counted: str = "load"  # whose bytes show how far the server is, see pace/pace.c; None: nobody's


@dataclass(frozen=True)
class Load:
    requests: int
    seconds: float
    p99_ms: float


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run_load(command, pace=None, interrupt_after_s=None):
    """What it prints; interrupted after that time, if one is given, which is then its way to end."""
    with subprocess.Popen(on_core(OTHER_CORE, command), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as load:
        if pace is not None:
            pace.began(load.pid)
        if interrupt_after_s is not None:
            time.sleep(interrupt_after_s)
            load.send_signal(signal.SIGINT)
        try:
            output, said = load.communicate(timeout=120)
        except subprocess.TimeoutExpired:
            load.kill()
            raise
        finally:
            if pace is not None:
                pace.ended()
        if load.returncode != 0:
            raise RuntimeError(f"{' '.join(map(str, command))}: exit status {load.returncode}: {(output + said).strip()[-300:]}")
        return output


def wrk(connections):
    def load(port, seconds, pace=None):
        # It knows whole seconds only, but counts truly until it is interrupted.
        output = run_load(["wrk", "-t1", f"-c{connections}", "-d600s", "--latency", f"http://127.0.0.1:{port}/"], pace, seconds)
        served = re.search(r"(\d+) requests in ([\d.]+)(ms|s|m),", output)
        p99 = re.search(r"^\s*99%\s+([\d.]+)(us|ms|s|m)$", output, re.MULTILINE)
        if not served or not p99 or int(served[1]) == 0:
            raise RuntimeError(f"wrk served nothing, or says so in words that are not known here: {output!r}")
        return Load(int(served[1]), float(served[2]) * UNITS_MS[served[3]] / 1000, float(p99[1]) * UNITS_MS[p99[2]])

    return load


def redis_benchmark(connections):
    rate = 0.0  # requests/s of the last run: redis-benchmark wants a number of requests, not a time

    def run(port, requests, pace=None):
        started = time.monotonic()
        output = run_load(["redis-benchmark", "-h", "127.0.0.1", "-p", str(port), "-t", "get", "-c", str(connections), "-n", str(requests), "--csv"], pace)
        seconds = time.monotonic() - started
        row = next(csv.DictReader(output.splitlines()), None)
        if not row or "p99_latency_ms" not in row:
            raise RuntimeError(f"redis-benchmark prints no percentiles: {output!r}")
        return Load(requests, min(seconds, requests / float(row["rps"])), float(row["p99_latency_ms"]))

    def load(port, seconds, pace=None):
        nonlocal rate
        if not rate:
            rate = run(port, 2000).requests / run(port, 2000).seconds
        served = run(port, max(1000, int(rate * seconds)), pace)
        rate = served.requests / served.seconds
        return served

    return load


def echo_load(connections):
    def load(port, seconds, pace=None):
        found = json.loads(run_load([PROGRAMS / "bench_echo_load", str(port), str(connections), str(seconds)], pace))
        return Load(found["requests"], found["seconds"], found["p99_us"] / 1000)

    return load


def redis_server(port, scratch):
    return ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(scratch)]


def uvicorn(loop, app="hello:app"):
    def server(port, _scratch):
        return ["/usr/bin/uvicorn", "--app-dir", str(HERE), "--host", "127.0.0.1", "--port", str(port), "--loop", loop, "--http", "h11",
                "--no-access-log", "--log-level", "warning", app]

    return server


def node(port, _scratch):
    return ["node", str(HERE / "node_server.js"), str(port)]


def echo_server(port, _scratch):
    return [str(PROGRAMS / "bench_echo_server"), str(port)]


WORKLOADS = (
    Workload("asyncio", "uvicorn on asyncio, 16 connections", uvicorn("asyncio"), wrk(16), 1.02),
    Workload("asyncio-1", "uvicorn on asyncio, one connection", uvicorn("asyncio"), wrk(1), 1.06),
    Workload("uvloop", "uvicorn on uvloop, 16 connections", uvicorn("uvloop"), wrk(16), 1.02),
    Workload("gil", "uvicorn on asyncio, sync endpoint in the thread pool (contended GIL), 16 connections", uvicorn("asyncio", "sync_app:app"), wrk(16), 1.04),
    Workload("node", "Node, http, 16 connections", node, wrk(16), 1.02),
    Workload("redis", "redis-server, 50 connections", redis_server, redis_benchmark(50), 1.06, "server"),
    Workload("redis-1", "redis-server, one connection", redis_server, redis_benchmark(1), 1.06, "server"),
    Workload("echo", "epoll echo loop in C, 16 connections", echo_server, echo_load(16), 1.06),
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
