# SPDX-License-Identifier: Apache-2.0
"""A loop that computes: callbacks of a fixed amount of work each, some 40 to 60 ms, one after the other; it writes a byte to /dev/null
after each PIECES-th of one, for others to see how far it is. Whoever connects to the port gets its process id."""
import asyncio
import os
import sys

WORK, PIECES = 600_000, 200


def compute(progress):
    number = 1
    for _ in range(PIECES):
        for _ in range(WORK // PIECES):
            number = number * 31 % 1000003
        progress.write(b".")
    return number


async def main(port):
    async def answer(_reader, writer):
        writer.write(b"%d\n" % os.getpid())
        writer.close()

    with open(os.devnull, "wb", buffering=0) as progress:
        async with await asyncio.start_server(answer, "127.0.0.1", port):
            while True:
                compute(progress)
                await asyncio.sleep(0.001)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
