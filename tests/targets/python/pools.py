# SPDX-License-Identifier: Apache-2.0
"""A client library's pool with one connection: one task has it and waits for an answer that does not come, five wait for it.

    pools.py LIBRARY PORT [uvloop]

PORT is that of PostgreSQL (user and database postgres), of Redis, or of a server that accepts and says nothing. Says in one line of
JSON how the two functions are called and on which lines they wait.
"""

import asyncio
import inspect
import json
import sys


class Pool:
    """What the two functions do with a library's pool; their lines have the mark."""

    name = ""

    def __init__(self, port):
        self.port = port
        self.dsn = f"host=127.0.0.1 port={port} user=postgres dbname=postgres"
        self.url = f"http://127.0.0.1:{port}/"

    async def set_up(self):
        pass


class Asyncpg(Pool):
    name = "asyncpg's pool"

    async def set_up(self):
        import asyncpg

        self.pool = await asyncpg.create_pool(host="127.0.0.1", port=self.port, user="postgres", database="postgres", min_size=1, max_size=1)

    async def hold(self):
        async with self.pool.acquire() as connection:
            await connection.execute("select pg_sleep(600)")  # <- waits

    async def want(self):
        async with self.pool.acquire() as connection:  # <- waits
            await connection.execute("select 1")


class AsyncpgTimeout(Asyncpg):
    async def want(self):
        async with self.pool.acquire(timeout=600) as connection:  # <- waits
            await connection.execute("select 1")


class Sqlalchemy(Pool):
    name = "SQLAlchemy's pool"

    async def set_up(self):
        from sqlalchemy.ext.asyncio import create_async_engine

        url = f"postgresql+asyncpg://postgres@127.0.0.1:{self.port}/postgres"
        self.engine = create_async_engine(url, pool_size=1, max_overflow=0, pool_timeout=600)

    async def run(self, statement):
        from sqlalchemy import text

        async with self.engine.connect() as connection:  # <- wants
            await connection.execute(text(statement))  # <- holds

    async def hold(self):
        await self.run("select pg_sleep(600)")

    async def want(self):
        await self.run("select 1")


class PsycopgPool(Pool):
    name = "psycopg_pool"

    async def set_up(self):
        from psycopg_pool import AsyncConnectionPool

        self.pool = AsyncConnectionPool(self.dsn, min_size=1, max_size=1, timeout=600, open=False)
        await self.pool.open()

    async def hold(self):
        async with self.pool.connection() as connection:
            await connection.execute("select pg_sleep(600)")  # <- waits

    async def want(self):
        async with self.pool.connection() as connection:  # <- waits
            await connection.execute("select 1")


class Redis(Pool):
    name = "redis' connection pool"

    async def set_up(self):
        import redis.asyncio

        pool = redis.asyncio.BlockingConnectionPool(host="127.0.0.1", port=self.port, max_connections=1, timeout=600)
        self.client = redis.asyncio.Redis(connection_pool=pool)

    async def hold(self):
        await self.client.blpop("nothing", 600)  # <- waits

    async def want(self):
        await self.client.get("x")  # <- waits


class Httpx(Pool):
    name = "httpx's connection pool"

    async def set_up(self):
        import httpx

        self.client = httpx.AsyncClient(limits=httpx.Limits(max_connections=1), timeout=None)

    async def hold(self):
        await self.client.get(self.url)  # <- waits

    async def want(self):
        await self.client.get(self.url)  # <- waits


class Aiohttp(Pool):
    name = "aiohttp's connector"

    async def set_up(self):
        import aiohttp

        timeout = aiohttp.ClientTimeout(total=600)
        self.session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1), timeout=timeout)

    async def hold(self):
        async with self.session.get(self.url):  # <- waits
            pass

    async def want(self):
        async with self.session.get(self.url):  # <- waits
            pass


KINDS = {
    "asyncpg": Asyncpg,
    "asyncpg_timeout": AsyncpgTimeout,
    "sqlalchemy": Sqlalchemy,
    "psycopg_pool": PsycopgPool,
    "redis": Redis,
    "httpx": Httpx,
    "aiohttp": Aiohttp,
}


def line_of(function, *marks):
    lines, first = inspect.getsourcelines(function)
    return first + next(number for number, line in enumerate(lines) if any(f"# <- {mark}" in line for mark in marks))


async def main(kind, port):
    pool = kind(port)
    await pool.set_up()
    tasks = [asyncio.create_task(pool.hold(), name="holds")]
    await asyncio.sleep(1)
    tasks += [asyncio.create_task(pool.want(), name=f"wants-{i}") for i in range(5)]
    await asyncio.sleep(1)
    run = getattr(pool, "run", None)
    truth = {
        "type": pool.name,
        "holds": line_of(run or pool.hold, "holds", "waits"),
        "wants": line_of(run or pool.want, "wants", "waits"),
    }
    print(json.dumps(truth), flush=True)
    await asyncio.gather(*tasks)


if __name__ == "__main__":
    if sys.argv[3:] == ["uvloop"]:
        import uvloop

        uvloop.install()
    asyncio.run(main(KINDS[sys.argv[1]], int(sys.argv[2])))
