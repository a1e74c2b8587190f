# SPDX-License-Identifier: Apache-2.0
"""The loop waits for the result of a multiprocessing.Pool whose worker was killed: another one is started, the result never comes."""

import asyncio
import multiprocessing
import os
import signal
import sys

from serve import serve


def render(size):
    if size == "huge":
        os.kill(os.getpid(), signal.SIGKILL)
    return size


def report(pool, size):
    return pool.apply_async(render, (size,)).get().encode()


if __name__ == "__main__":
    workers = multiprocessing.get_context("spawn").Pool(2)
    asyncio.run(serve(sys.argv[1], {"/small": lambda: report(workers, "small"), "/huge": lambda: report(workers, "huge")}))
