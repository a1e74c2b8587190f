# SPDX-License-Identifier: Apache-2.0
"""Threads that compute all the time: the GIL goes round."""
import sys
import threading


def spin():
    x = 0
    while True:
        x += 1


for _ in range(int(sys.argv[1])):
    threading.Thread(target=spin, daemon=True).start()
print("ready", flush=True)
threading.Event().wait()
