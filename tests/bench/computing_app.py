# SPDX-License-Identifier: Apache-2.0
"""A loop that computes: callbacks of a fixed amount of work each, some 60 ms, one after the other. Whoever connects to the port is
told how many have been made."""
import asyncio
import sys

WORK = 600_000


def compute():
    number = 1
    for _ in range(WORK):
        number = number * 31 % 1000003
    return number


async def main(port):
    made = 0

    async def tell(_reader, writer):
        writer.write(b"%d\n" % made)
        writer.close()

    async with await asyncio.start_server(tell, "127.0.0.1", port):
        while True:
            compute()
            made += 1
            await asyncio.sleep(0.001)


asyncio.run(main(int(sys.argv[1])))
