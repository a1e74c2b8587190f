# SPDX-License-Identifier: Apache-2.0
import os
import sqlite3
import subprocess
import threading
import time

from truth import place_of
from wait import LINGER_S, Wait
from waits_time import SLEEPS


class FifoOpen(Wait):
    cause = "pipe"
    syscalls = ("openat",)

    def set_up(self):
        self.fifo = self.world.path("fifo")
        os.mkfifo(self.fifo)
        self.connection = self.world.connect()

    def prepare(self):
        self.connection = self.world.start_delay("feed_fifo", self.ms, path=self.fifo)

    def block(self):
        self.fd = os.open(self.fifo, os.O_RDONLY)  # <- blocks

    def clean_up(self):
        os.close(self.fd)
        self.connection.close()

    def resource(self):
        return {"kind": "pipe", "path": self.fifo}


class FifoRead(FifoOpen):
    syscalls = ("read",)

    def prepare(self):
        self.fd = os.open(self.fifo, os.O_RDWR)
        super().prepare()

    def block(self):
        os.read(self.fd, 1)  # <- blocks


class PipeFromThread(Wait):
    """Another thread of the process writes."""

    cause = "pipe"
    syscalls = ("read",)

    def set_up(self):
        self.read_end, self.write_end = os.pipe()

    def feed(self):
        self.tid = threading.get_native_id()
        time.sleep(self.seconds)
        os.write(self.write_end, b"x")  # <- wakes
        time.sleep(LINGER_S)

    def prepare(self):
        threading.Thread(target=self.feed, name="feeder with a long name", daemon=True).start()

    def block(self):
        os.read(self.read_end, 1)  # <- blocks

    def resource(self):
        return {"kind": "pipe", "fd": self.read_end}

    def more(self):
        return {"waker": {"tid": self.tid, "thread": "feeder with a long name", **place_of(type(self).feed, "# <- wakes")}}


class FullPipe(FifoOpen):
    syscalls = ("write",)

    def prepare(self):
        self.fd = os.open(self.fifo, os.O_RDWR | os.O_NONBLOCK)
        try:
            while True:
                os.write(self.fd, bytes(4096))
        except BlockingIOError:
            os.set_blocking(self.fd, True)
        self.connection = self.world.start_delay("drain_fifo", self.ms, path=self.fifo)

    def block(self):
        os.write(self.fd, bytes(4096))  # <- blocks


class Fsync(Wait):
    """As many short ones as it takes, in one callback: the iteration is the unit."""

    cause = "file_io"
    syscalls = ("fsync", "write", "pwrite64")
    pieces = 0

    def set_up(self):
        self.file = open(self.world.path("synced.file"), "w+b", buffering=0)

    def block(self):
        end = time.monotonic() + self.seconds
        while time.monotonic() < end:
            os.pwrite(self.file.fileno(), bytes(1 << 14), 0)
            os.fsync(self.file.fileno())  # <- blocks

    def resource(self):
        return {"kind": "file", "fd": self.file.fileno(), "path": self.file.name}


class SqliteBusy(Wait):
    """SQLite's busy handler: short sleeps, each a little longer."""

    cause = "sleep"
    syscalls = SLEEPS + ("nanosleep",)
    pieces = 0

    def set_up(self):
        self.path = self.world.path("busy.sqlite")
        self.database = sqlite3.connect(self.path, isolation_level=None, timeout=5000, check_same_thread=False)
        self.database.execute("create table t (n integer)")
        self.connection = self.world.connect()

    def prepare(self):
        self.connection = self.world.start_delay("hold_sqlite", self.ms, path=self.path)
        self.connection.recv(5)

    def block(self):
        self.database.execute("begin immediate")  # <- blocks

    def clean_up(self):
        self.database.execute("rollback")
        self.connection.close()


class SubprocessRun(Wait):
    cause = "child"
    pieces = 0  # starting it is a wait or two of its own
    syscalls = ("wait4", "waitid")
    through = ("run", "communicate", "wait", "_wait", "_try_wait")

    def block(self):
        subprocess.run(["sleep", str(self.seconds)], check=True)  # <- blocks

    def resource(self):
        return {"kind": "process", "comm": "sleep"}


class SubprocessOutput(Wait):
    """Two pipes to read: communicate() polls both."""

    cause = "poll"
    pieces = 0
    syscalls = ("poll",)
    through = ("run", "communicate", "_communicate", "select")

    def block(self):
        subprocess.run(["sleep", str(self.seconds)], check=True, capture_output=True)  # <- blocks

    def resource(self):
        return {"kind": "fds", "fds": [{"kind": "pipe"}, {"kind": "pipe"}]}


class Waitpid(Wait):
    cause = "child"
    syscalls = ("wait4",)

    def prepare(self):
        self.child = subprocess.Popen(["sleep", str(self.seconds)])

    def block(self):
        os.waitpid(self.child.pid, 0)  # <- blocks

    def clean_up(self):
        self.child.returncode = 0

    def resource(self):
        return {"kind": "process", "pid": self.child.pid, "comm": "sleep"}


WAITS = {
    "fifo_open": FifoOpen,
    "fifo_read": FifoRead,
    "pipe_from_thread": PipeFromThread,
    "full_pipe": FullPipe,
    "fsync": Fsync,
    "sqlite_busy": SqliteBusy,
    "subprocess_run": SubprocessRun,
    "subprocess_output": SubprocessOutput,
    "waitpid": Waitpid,
}
