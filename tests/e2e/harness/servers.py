# SPDX-License-Identifier: Apache-2.0
"""Private servers in a temporary folder, on ports of their own."""

import contextlib
import os
import pathlib
import pwd
import shutil
import socket
import subprocess

from . import waiting


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def accepts(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def postgres_binaries():
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    assert found, "PostgreSQL is not installed"
    return found[-1]


def as_user(name):
    """For subprocess: PostgreSQL refuses to run as root."""
    user = pwd.getpwnam(name)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


@contextlib.contextmanager
def postgres(folder):
    """A cluster of its own; yields its connection string."""
    binaries = postgres_binaries()
    data = folder / "data"
    folder.mkdir(exist_ok=True)
    shutil.chown(folder, "postgres", "postgres")
    owner = as_user("postgres")
    quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "cwd": folder, "check": True}
    subprocess.run([binaries / "initdb", "-D", data, "-A", "trust", "-U", "postgres", "--no-sync"], **owner, **quiet)
    port = free_port()
    command = [binaries / "postgres", "-D", data, "-p", str(port), "-c", "listen_addresses=127.0.0.1", "-k", str(folder)]
    log = open(folder / "log", "wb")
    server = subprocess.Popen(command, **owner, cwd=folder, stdout=log, stderr=log)
    try:
        ready = [binaries / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
        waiting.until(lambda: server.poll() is not None or subprocess.run(ready).returncode == 0, "PostgreSQL", every=0.1)
        assert server.poll() is None, (folder / "log").read_text()
        yield f"host=127.0.0.1 port={port} user=postgres dbname=postgres"
    finally:
        server.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(5)
        server.kill()
        server.wait()


@contextlib.contextmanager
def redis(folder):
    """Yields its port."""
    folder.mkdir(exist_ok=True)
    port = free_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    command += ["--enable-debug-command", "yes"]
    log = open(folder / "log", "wb")
    server = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
    try:
        waiting.until(lambda: server.poll() is not None or accepts(port), "Redis")
        assert server.poll() is None, (folder / "log").read_text()
        yield port
    finally:
        server.kill()
        server.wait()


@contextlib.contextmanager
def uvicorn(folder, module_folder, application, environment):
    """A real uvicorn of one worker; yields (pid, port)."""
    port = free_port()
    command = ["/usr/bin/python3", "-m", "uvicorn", application, "--host", "127.0.0.1", "--port", str(port)]
    command += ["--log-level", "warning", "--loop", environment.get("UVICORN_LOOP", "asyncio")]
    log = open(folder / "uvicorn.log", "wb")
    server = subprocess.Popen(command, cwd=module_folder, env={**os.environ, **environment}, stdout=log, stderr=log)
    try:
        waiting.until(lambda: server.poll() is not None or accepts(port), "uvicorn")
        assert server.poll() is None, (folder / "uvicorn.log").read_text()
        yield server.pid, port
    finally:
        server.kill()
        server.wait()
