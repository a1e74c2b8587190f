# SPDX-License-Identifier: Apache-2.0
"""A loop and a thread that computes share the GIL of a subinterpreter (3.13 and newer). Says "hog" and its tid; ends when asked to."""

import _interpreters
import os
import sys
import threading

INSIDE = '''
import os, selectors, socket, threading, time

def hog():
    os.write(1, b"hog %d" % threading.get_native_id() + bytes([10]))
    while True:
        sum(range(1000))

selector = selectors.EpollSelector()
ends = socket.socketpair()
selector.register(ends[0], selectors.EVENT_READ)
threading.Thread(target=hog).start()
while True:
    selector.select(0.1)
    end = time.monotonic() + 0.3
    while time.monotonic() < end:
        sum(range(100))
'''

threading.Thread(target=_interpreters.exec, args=(_interpreters.create(), INSIDE), daemon=True).start()
sys.stdin.readline()
os._exit(0)
