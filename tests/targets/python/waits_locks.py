# SPDX-License-Identifier: Apache-2.0
import fcntl
import logging
import os
import queue
import threading
import time

from truth import place_of
from wait import LINGER_S, Wait


class Locking(Wait):
    cause = "futex"
    syscalls = ("futex",)

    def resource(self):
        return {"kind": "futex"}


class LockHeldByThread(Locking):
    def set_up(self):
        self.lock = threading.Lock()

    def hold(self, held):
        self.tid = threading.get_native_id()
        self.lock.acquire()
        held.set()
        time.sleep(self.seconds)
        self.lock.release()  # <- wakes
        time.sleep(LINGER_S)

    def prepare(self):
        held = threading.Event()
        threading.Thread(target=self.hold, args=(held,), name="holder", daemon=True).start()
        held.wait()

    def block(self):
        self.lock.acquire()  # <- blocks
        self.lock.release()

    def more(self):
        return {"waker": {"tid": self.tid, "thread": "holder", **place_of(type(self).hold, "# <- wakes")}}


class ConditionTimeout(Locking):
    through = ("wait",)

    def set_up(self):
        self.condition = threading.Condition()

    def block(self):
        with self.condition:
            self.condition.wait(self.seconds)  # <- blocks


class QueueTimeout(Locking):
    through = ("get", "wait")

    def set_up(self):
        self.queue = queue.Queue()

    def block(self):
        try:
            self.queue.get(timeout=self.seconds)  # <- blocks
        except queue.Empty:
            pass


class LogHandler(Locking):
    """A worker holds the handler's lock, stuck in a pipe that nobody reads: the loop waits for the lock, not for the pipe."""

    through = ("info", "acquire")

    def set_up(self):
        self.read_end, self.write_end = os.pipe()
        self.log = logging.getLogger("target")
        self.log.setLevel(logging.INFO)
        self.log.propagate = False
        handler = logging.StreamHandler(os.fdopen(self.write_end, "w"))
        self.log.addHandler(handler)
        self.handler = handler

    def fill(self):
        os.set_blocking(self.write_end, False)
        try:
            while True:
                os.write(self.write_end, bytes(4096))
        except BlockingIOError:
            os.set_blocking(self.write_end, True)

    def drain_later(self):
        time.sleep(self.seconds)
        while len(os.read(self.read_end, 1 << 20)) == 1 << 20:
            pass

    def prepare(self):
        self.fill()
        threading.Thread(target=self.log.info, args=("worker" * 2000,), name="worker").start()
        while self.handler.lock.acquire(blocking=False):
            self.handler.lock.release()
            time.sleep(0.0005)
        threading.Thread(target=self.drain_later, name="reader").start()

    def block(self):
        self.log.info("loop")  # <- blocks


class FileLocking(Wait):
    cause = "file_io"

    def set_up(self):
        self.file = open(self.world.path("locked.file"), "w+b")
        self.connection = self.world.connect()

    def prepare_by(self, action):
        self.connection = self.world.start_delay(action, self.ms, path=self.file.name)
        self.connection.recv(5)

    def clean_up(self):
        self.connection.close()

    def resource(self):
        return {"kind": "file", "fd": self.file.fileno(), "path": self.file.name, "holder": self.world.peer}


class Flock(FileLocking):
    syscalls = ("flock",)

    def prepare(self):
        self.prepare_by("hold_flock")

    def block(self):
        fcntl.flock(self.file, fcntl.LOCK_EX)  # <- blocks
        fcntl.flock(self.file, fcntl.LOCK_UN)


class FcntlLock(FileLocking):
    syscalls = ("fcntl",)

    def prepare(self):
        self.prepare_by("hold_fcntl")

    def block(self):
        fcntl.lockf(self.file, fcntl.LOCK_EX)  # <- blocks
        fcntl.lockf(self.file, fcntl.LOCK_UN)


WAITS = {
    "lock_held_by_thread": LockHeldByThread,
    "condition_timeout": ConditionTimeout,
    "queue_timeout": QueueTimeout,
    "log_handler": LogHandler,
    "flock": Flock,
    "fcntl_lock": FcntlLock,
}
