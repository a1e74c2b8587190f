# SPDX-License-Identifier: Apache-2.0
"""The truth of a target: one JSON line for each blocking call, as the target itself saw it, on CLOCK_MONOTONIC."""

import inspect
import json
import os
import sys
import threading
import time

MARK = "# <- blocks"
_places = {}


def say(word):
    """One word a line to the test: ready, done, ..."""
    os.write(1, (word + "\n").encode())


def place_of(function, mark=MARK):
    """Where `function` blocks: the line that carries the mark, or else (a caller) its first line. Read once: it computes a lot."""
    if function not in _places:
        _places[function] = read_place_of(function, mark)
    return dict(_places[function])


def read_place_of(function, mark):
    lines, first = inspect.getsourcelines(function)
    marked = [first + offset for offset, line in enumerate(lines) if mark in line]
    code = function.__code__
    name = code.co_qualname if sys.version_info >= (3, 11) else code.co_name
    return {"function": name, "file": code.co_filename, "line": marked[0] if marked else first}


class Truth:
    def __init__(self, path):
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self._lock = threading.Lock()

    def write(self, record):
        with self._lock:
            os.write(self._fd, (json.dumps(record) + "\n").encode())

    def measure(self, wait, milliseconds, forever=False):
        """Blocks once in `wait` and writes down what happened; what will not end is written down before."""
        wait.ms = milliseconds
        callback_start = time.monotonic_ns()
        wait.prepare()
        if forever:
            about = {"kind": "freezes", "start_ns": callback_start, "tid": threading.get_native_id(), "cause": wait.cause}
            about.update(wait.place(), syscalls=list(wait.syscalls), resource=wait.resource())
            self.write(about)
        cpu_before = time.thread_time_ns()
        start = time.monotonic_ns()
        wait.block()
        end = time.monotonic_ns()
        cpu = time.thread_time_ns() - cpu_before
        record = {
            "kind": "event",
            "start_ns": start,
            "end_ns": end,
            "cpu_ns": cpu,
            "callback_start_ns": callback_start,
            "callback_end_ns": 0,
            "pid": os.getpid(),
            "tid": threading.get_native_id(),
            "cause": wait.cause,
            "syscalls": list(wait.syscalls),
            "pieces": wait.pieces,
            "resource": wait.resource(),
            "through": wait.through,
        }
        record.update(wait.place(), **wait.more())
        wait.clean_up()
        record["callback_end_ns"] = time.monotonic_ns()
        self.write(record)
