# SPDX-License-Identifier: Apache-2.0
"""Incident 3: logging. `shape` is what the log is written to, or the other ways in which this service froze."""
import contextlib
import os
import socket
import subprocess

from . import scene

APPLICATION = scene.FOLDER / "logs"
SHAPES = ("pipe", "disk", "report", "feed")
REPORT_BYTES = 1 << 20


@contextlib.contextmanager
def full_pipe(folder):
    """A FIFO whose reader ships what it reads to a collector that has stopped reading; yields (path, shipper's pid)."""
    fifo = folder / "app.log"
    os.mkfifo(fifo)
    with socket.create_server(("127.0.0.1", 0)) as collector:
        collector.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        command = [scene.PYTHON, APPLICATION / "shipper.py", fifo, collector.getsockname()[1]]
        with scene.process(command, folder, "shipper") as shipper:
            scene.waiting.until(lambda: scene.waiting.proc(shipper.pid, "comm") == "log-shipper\n", "the shipper")
            yield fifo, shipper.pid


@contextlib.contextmanager
def slow_disk(folder, fsync_s, read_s):
    """A mounted file system; yields (path, pid of its daemon)."""
    mounted, backing = folder / "disk", folder / "backing"
    mounted.mkdir()
    backing.mkdir()
    options = f"backing={backing},fsync_s={fsync_s},read_s={read_s},fsname=slow_disk,allow_other"
    command = [scene.PYTHON, APPLICATION / "slow_disk.py", mounted, "-f", "-o", options]
    with scene.process(command, folder, "disk", lambda: os.path.ismount(mounted)) as daemon:
        try:
            yield mounted, daemon.pid
        finally:
            subprocess.run(["umount", "-l", mounted], check=False)


@contextlib.contextmanager
def stage(folder, variant, shape="pipe"):
    with contextlib.ExitStack() as stack:
        crowd = stack.enter_context(scene.Crowd())
        if shape == "feed":
            port = scene.servers.free_port()
            command = [scene.PYTHON, APPLICATION / "feed.py", port, variant]
            feed = stack.enter_context(scene.process(command, folder, "feed", lambda: scene.servers.accepts(port)))
            yield scene.Scene(["-p", feed.pid], scene.causes(APPLICATION, variant), feed.pid, port)
            return
        log, report, peers = folder / "app.log", folder / "report.csv", {}
        if shape == "pipe":
            log, peers["shipper"] = stack.enter_context(full_pipe(folder))
        elif shape == "disk":
            mounted, peers["disk"] = stack.enter_context(slow_disk(folder, fsync_s=0.7, read_s=0))
            log = mounted / "app.log"
        else:
            mounted, peers["disk"] = stack.enter_context(slow_disk(folder, fsync_s=0, read_s=0.05))
            (folder / "backing" / "report.csv").write_bytes(b"chair;1\n" * (REPORT_BYTES // 8))
            report = mounted / "report.csv"
        settings = {"LOG_PATH": log, "LOG_DURABLY": int(shape == "disk"), "REPORT_PATH": report}
        # The log may be stuck before the application answers for the first time.
        pid, port = stack.enter_context(scene.uvicorn(folder, APPLICATION, variant, **settings))

        def begin():
            path = "/report" if shape == "report" else "/health"
            crowd.repeat(lambda _number: scene.get(port, path, timeout=3), 0.2)

        yield scene.Scene(["-p", pid], scene.causes(APPLICATION, variant), pid, port, peers, begin=begin)
