# SPDX-License-Identifier: Apache-2.0
"""Threads that block in asynchronous code."""
import asyncio
import functools

from shape import LONG, shape, sleep


class Resource:
    async def __aenter__(self):
        await asyncio.sleep(0)
        return self

    async def __aexit__(self, *_):
        await self.close(
            1)

    async def close(self, _):
        sleep()


async def numbers():
    yield 1
    sleep()
    yield 2


async def leaf():
    await asyncio.sleep(0)
    sleep()


async def middle():
    return await \
        leaf()


@shape
def coroutines():
    asyncio.run(middle())


@shape
def task():
    async def main():
        await asyncio.gather(
            middle(),
            asyncio.sleep(LONG))
    asyncio.run(main())


@shape
def async_with():
    async def main():
        async with Resource():
            pass
    asyncio.run(main())


@shape
def async_generator():
    async def main():
        async for _ in numbers():
            pass
    asyncio.run(main())


@shape
def async_comprehension():
    async def main():
        return [
            x async for x in numbers()
        ]
    asyncio.run(main())


@shape
def loop_callback():
    async def main():
        asyncio.get_running_loop().call_soon(
            functools.partial(sleep))
        await asyncio.sleep(LONG)
    asyncio.run(main())


@shape
def idle_loop():
    asyncio.run(asyncio.sleep(LONG))
