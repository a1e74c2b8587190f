# SPDX-License-Identifier: Apache-2.0
"""Threads that take turns at one epoll descriptor, as a pool does. At "go" each thread leaves it for good and only sleeps: none of
them was a loop, so none is stuck. Says "ready" once every thread has polled a few times."""

import os
import select
import sys
import threading
import time

THREADS = 4
gone = threading.Event()
queue = select.epoll()
rounds = threading.Semaphore(0)


def serve():
    while not gone.is_set():
        queue.poll(0.02)
        rounds.release()
    time.sleep(1000)


for _ in range(THREADS):
    threading.Thread(target=serve, daemon=True).start()
for _ in range(THREADS * 10):
    rounds.acquire()
print("ready", flush=True)
for line in sys.stdin:
    if line == "go\n":
        gone.set()
        print("gone", flush=True)
os._exit(0)
