# SPDX-License-Identifier: Apache-2.0
"""Callbacks that compute, and callbacks that wait for the GIL while another thread computes."""

import inspect
import itertools
import json
import mmap
import os
import re
import sys
import threading
import time

from truth import place_of
from wait import Wait


def cost_s(call):
    """CPU time of the cheapest of a few calls: other processes shall not make the work seem dear."""

    def once():
        begin = time.thread_time()
        call()
        return time.thread_time() - begin

    return max(1e-6, min(once() for _ in range(3)))


class Computing(Wait):
    cause = "cpu"


class TightLoop(Computing):
    def block(self):
        end = time.monotonic() + self.seconds
        while time.monotonic() < end: pass  # noqa: E701  # <- blocks


def fibonacci(number):
    return number if number < 2 else fibonacci(number - 1) + fibonacci(number - 2)  # <- blocks


class Recursion(Computing):
    """Hardly two samples have the same stack."""

    def place(self):
        return place_of(fibonacci)

    def block(self):
        end = time.monotonic() + self.seconds
        while time.monotonic() < end: fibonacci(24)  # noqa: E701


class Scaled(Computing):
    """One call of a library on as much data as takes the time; roughly, the truth has its clock. All data is made beforehand: what
    an event computes besides is not on its line."""

    sample = 30000
    longest_s = 0.4

    def set_up(self):
        self.data = self.make(self.sample)
        self.per_second = self.sample / cost_s(self.block)
        self.all = self.make(int(self.per_second * self.longest_s))

    def prepare(self):
        self.data = self.all[: int(self.per_second * self.seconds * 1.3)]


class JsonDumps(Scaled):
    def make(self, size):
        return [{"name": "x" * 20, "value": index, "list": [1.5, None, True]} for index in range(size)]

    def block(self):
        json.dumps(self.data)  # <- blocks


class Sorting(Scaled):
    sample = 600000  # so much that it is out of the caches, as all of it is

    def make(self, size):
        return [str(index * 7919 % 1000003) for index in range(size)]

    def prepare(self):
        """Not a copy: of so many strings that takes a good part of the time that sorting them takes."""
        self.data = itertools.islice(self.all, int(self.per_second * self.seconds * 1.3))

    def set_up(self):
        self.all = self.make(self.sample)
        self.per_second = self.sample / cost_s(lambda: sorted(self.all))
        self.all = self.make(int(self.per_second * self.longest_s))

    def block(self):
        sorted(self.data)  # <- blocks


# Every run of "a" can be cut in two in many ways, and none of them helps: 2**n steps.
GREEDY = re.compile("(a+)+$")


def hopeless_text(seconds):
    """A text that takes at least that long."""
    length = 14
    while cost_s(lambda: GREEDY.match("a" * length + "b")) < 0.01:
        length += 1
    took = cost_s(lambda: GREEDY.match("a" * length + "b"))
    while took < seconds:
        length, took = length + 1, took * 2
    return "a" * length + "b"


class Regex(Computing):
    def set_up(self):
        self.text = hopeless_text(0.12)

    def block(self):
        GREEDY.match(self.text)  # <- blocks


class SystemCall(Computing):
    """Long computing inside the kernel: 32 MB of random bytes a call."""

    syscalls = ("getrandom",)

    def block(self):
        end = time.monotonic() + self.seconds
        while time.monotonic() < end: os.getrandom(1 << 25)  # noqa: E701  # <- blocks


class ColdMapping(Wait):
    """Touches pages of a mapped file that are not in memory, one after the other."""

    cause = "page_fault"
    pieces = 0
    bytes = 64 << 20

    def set_up(self):
        self.path = self.world.path("cold.bin")
        with open(self.path, "wb") as file:
            for _ in range(self.bytes >> 20):
                file.write(os.urandom(1 << 20))
            file.flush()
            os.fsync(file.fileno())
        self.file = open(self.path, "rb")
        self.mapped = mmap.mmap(self.file.fileno(), 0, prot=mmap.PROT_READ)
        self.mapped.madvise(mmap.MADV_RANDOM)  # no reading ahead: each page is a fault

    def prepare(self):
        self.mapped.madvise(mmap.MADV_DONTNEED)
        os.posix_fadvise(self.file.fileno(), 0, self.bytes, os.POSIX_FADV_DONTNEED)
        self.offsets = iter(range(0, self.bytes, mmap.PAGESIZE))

    def block(self):
        end = time.monotonic() + self.seconds
        while time.monotonic() < end: self.mapped[next(self.offsets)]  # noqa: E701  # <- blocks

    def more(self):
        return {"path": self.path}


class GilWait(Wait):
    """Waits for the GIL while a thread computes in `hog`."""

    cause = "gil"
    syscalls = ("futex",)
    pieces = 0

    def hog(self):
        raise NotImplementedError

    def run(self):
        self.hog_tid = threading.get_native_id()
        self.hog()

    def more(self):
        lines, first = inspect.getsourcelines(type(self).hog)
        code = type(self).hog.__code__
        return {
            "holder": {
                "tid": self.hog_tid,
                "function": getattr(code, "co_qualname", code.co_name),
                "file": code.co_filename,
                "lines": list(range(first, first + len(lines))),
            }
        }

    def clean_up(self):
        self.thread.join()


class GilHog(GilWait):
    """Pure Python: gives the GIL up when it is asked to, after the switch interval."""

    def set_up(self):
        sys.setswitchinterval(self.world.options.get("switch_interval_s", 0.005))

    def hog(self):
        number = 1
        while not self.stop and time.monotonic() < self.end:
            number = number * 31 % 1000003

    def prepare(self):
        self.stop = False
        self.end = time.monotonic() + 2 * self.seconds
        self.thread = threading.Thread(target=self.run, name="hog")
        self.thread.start()

    def block(self):
        end = time.monotonic() + self.seconds
        while time.monotonic() < end: time.sleep(0)  # noqa: E701  # <- blocks

    def clean_up(self):
        self.stop = True
        super().clean_up()


class GilMoves(GilHog):
    """Is somewhere else first."""

    def run(self):
        self.hog_tid = threading.get_native_id()
        end = time.monotonic() + 0.3 * self.seconds
        while time.monotonic() < end:
            pass
        self.hog()


class GilSort(GilWait):
    """One long C call that never gives the GIL up."""

    def set_up(self):
        self.sorting = Sorting(self.world)
        self.sorting.set_up()
        self.started = threading.Event()

    def hog(self):
        self.started.set()
        sorted(self.sorting.data)

    def prepare(self):
        self.sorting.ms = self.ms
        self.sorting.prepare()
        self.started.clear()
        self.thread = threading.Thread(target=self.run, name="sorter")

    def block(self):
        self.thread.start()
        self.started.wait()
        time.sleep(0.001)  # <- blocks


class GilRegex(GilSort):
    def set_up(self):
        self.text = hopeless_text(0.12)
        self.started = threading.Event()

    def hog(self):
        self.started.set()
        GREEDY.match(self.text)

    def prepare(self):
        self.started.clear()
        self.thread = threading.Thread(target=self.run, name="matcher")


WAITS = {
    "tight_loop": TightLoop,
    "recursion": Recursion,
    "json_dumps": JsonDumps,
    "sorting": Sorting,
    "regex": Regex,
    "getrandom": SystemCall,
    "cold_mapping": ColdMapping,
    "gil_hog": GilHog,
    "gil_moves": GilMoves,
    "gil_sort": GilSort,
    "gil_regex": GilRegex,
}
