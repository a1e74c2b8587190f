# SPDX-License-Identifier: Apache-2.0
"""A gateway as people write it: its middleware makes a synchronous database commit and a synchronous Redis call.

HEALTHY=1: the same calls, off the loop's thread.
"""

import asyncio
import os

import psycopg2
import redis
from fastapi import FastAPI, Request

HEALTHY = os.environ.get("HEALTHY") == "1"

database = psycopg2.connect(os.environ["POSTGRES"])
limits = redis.Redis("127.0.0.1", int(os.environ["REDIS"]))
in_turn = asyncio.Lock()
app = FastAPI()


def write_audit(path):
    with database.cursor() as cursor:
        cursor.execute("insert into gateway_audit values (%s)", (path,))
    database.commit()  # <- blocks


def read_limit():
    return limits.get("limit")  # <- blocks


@app.middleware("http")
async def audit_middleware(request: Request, call_next):
    if HEALTHY:
        async with in_turn:
            await asyncio.get_running_loop().run_in_executor(None, write_audit, request.url.path)
    else:
        write_audit(request.url.path)
    return await call_next(request)


@app.middleware("http")
async def limit_middleware(request: Request, call_next):
    if HEALTHY:
        await asyncio.get_running_loop().run_in_executor(None, read_limit)
    else:
        read_limit()
    return await call_next(request)


@app.get("/")
async def root():
    await asyncio.sleep(0.001)
    return {"answer": "yes"}
