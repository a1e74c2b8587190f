# SPDX-License-Identifier: Apache-2.0
"""A second event loop, in a thread, puts into a bounded queue.Queue; who should take from it has gone with its customer."""

import asyncio
import queue
import sys
import threading

from serve import serve

agent = asyncio.new_event_loop()
threading.Thread(target=agent.run_forever, name="agent-loop", daemon=True).start()


async def produce(words, text):
    for word in text:
        words.put(word)


def stream():
    words = queue.Queue(100)
    asyncio.run_coroutine_threadsafe(produce(words, "word " * 1000), agent)
    return words.get(timeout=5).encode()


asyncio.run(serve(sys.argv[1], {"/stream": stream}))
