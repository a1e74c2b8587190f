# SPDX-License-Identifier: Apache-2.0
"""A shop on an asynchronous pool. Who asks for an article that does not exist takes a connection with him, and nobody notices for a
while: nothing blocks the loop."""
import os

from fastapi import FastAPI, HTTPException
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

engine = create_async_engine(
    os.environ["DATABASE_URL"], pool_size=3, max_overflow=0, pool_timeout=float(os.environ.get("POOL_TIMEOUT", "300"))
)
app = FastAPI(title="shop")
open_connections = {}


@app.get("/health")
async def health():
    return {"status": "ok"}


@app.get("/articles/{number}")
async def article(number: int):
    connection = open_connections[number] = engine.connect()
    await connection.start()  # <- cause: pool
    found = (await connection.execute(text("select name from articles where id = :number"), {"number": number})).first()
    if found is None:
        raise HTTPException(404)  # the connection stays open
    await open_connections.pop(number).close()
    return {"name": found.name}
