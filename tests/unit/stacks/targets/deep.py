# SPDX-License-Identifier: Apache-2.0
import time


def descend(depth):
    if depth:
        return sorted([depth], key=lambda d: descend(d - 1))
    time.sleep(1000)


print("ready", flush=True)
descend(8)
