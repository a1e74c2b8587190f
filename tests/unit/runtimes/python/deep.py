# SPDX-License-Identifier: Apache-2.0
"""A stack of 300 frames."""
import sys
import time


def dive(n):
    if n == 0:
        print("ready", flush=True)
        time.sleep(100_000)
    dive(n - 1)


dive(int(sys.argv[1]))
