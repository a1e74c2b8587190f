# SPDX-License-Identifier: Apache-2.0
"""The same shop: a connection is given back on every path, and nobody waits for one longer than a customer does."""
import os

from fastapi import FastAPI, HTTPException
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

engine = create_async_engine(os.environ["DATABASE_URL"], pool_size=3, max_overflow=0, pool_timeout=5)
app = FastAPI(title="shop")


@app.get("/health")
async def health():
    return {"status": "ok"}


@app.get("/articles/{number}")
async def article(number: int):
    async with engine.connect() as connection:  # <- cause: pool
        found = (await connection.execute(text("select name from articles where id = :number"), {"number": number})).first()
    if found is None:
        raise HTTPException(404)
    return {"name": found.name}
