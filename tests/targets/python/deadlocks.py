# SPDX-License-Identifier: Apache-2.0
"""Two threads that wait for each other: `deadlocks.py rlocks|imports|mixed FOLDER`. Says "ready" and their tids, then hangs."""

import ctypes
import json
import pathlib
import sys
import threading
import time

MAX_BYTES_OF_A_MUTEX = 64
both_hold = threading.Barrier(2)
tids = {}


class Mutex:
    """A pthread mutex; CDLL lets go of the GIL during a call."""

    libc = ctypes.CDLL(None)

    def __init__(self):
        self.memory = ctypes.create_string_buffer(MAX_BYTES_OF_A_MUTEX)
        self.libc.pthread_mutex_init(self.memory, None)

    def acquire(self):
        self.libc.pthread_mutex_lock(self.memory)


def hold_and_want(name, own, other):
    own.acquire()
    tids[name] = threading.get_native_id()
    both_hold.wait()
    other.acquire()  # <- blocks


def import_module(name):
    tids["left"] = threading.get_native_id()
    __import__(name)


def hold_and_import(name, own):
    own.acquire()
    tids["right"] = threading.get_native_id()
    both_hold.wait()
    __import__(name)  # <- blocks


def write_module(folder):
    """Its body wants a lock while its own import lock is held. Two modules that import each other are no deadlock: CPython sees
    that coming, and hands out half a module."""
    text = "import __main__\n__main__.both_hold.wait()\n__main__.lock.acquire()  # <- blocks\n"
    (pathlib.Path(folder) / "wants_lock.py").write_text(text)


lock = threading.RLock()


def main():
    mode, folder = sys.argv[1:]
    if mode == "imports":
        write_module(folder)
        sys.path.insert(0, folder)
        threads = [
            threading.Thread(target=import_module, args=("wants_lock",), name="importer"),
            threading.Thread(target=hold_and_import, args=("wants_lock", lock), name="keeper"),
        ]
    else:
        left = threading.RLock()
        right = threading.RLock() if mode == "rlocks" else Mutex()
        threads = [
            threading.Thread(target=hold_and_want, args=("left", left, right)),
            threading.Thread(target=hold_and_want, args=("right", right, left)),
        ]
    for thread in threads:
        thread.start()
    while len(tids) < 2:
        time.sleep(0.01)
    print("ready", json.dumps(tids), flush=True)
    threads[0].join()


main()
