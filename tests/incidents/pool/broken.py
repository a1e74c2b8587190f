# SPDX-License-Identifier: Apache-2.0
"""A shop that is healthy for as long as nobody asks for an article that does not exist."""
import asyncio
import hashlib
import os

from fastapi import FastAPI, HTTPException
from shop import Article, Booking, Session
from sqlalchemy.exc import TimeoutError as PoolIsDry

RECONCILE_EVERY_S = float(os.environ.get("RECONCILE_EVERY_S", "60"))
app = FastAPI(title="shop")
app.state.rounds = 0
open_sessions = {}


def read_ledger():
    with Session() as session:
        return session.query(Booking.account, Booking.amount).all()


async def reconcile():
    """Checks the whole ledger, each booking with all before it, again and again: every day there is more of it."""
    bookings = await asyncio.get_running_loop().run_in_executor(None, read_ledger)
    while True:
        app.state.rounds += 1
        chain = ""
        for account, amount in bookings:
            chain = hashlib.sha256(f"{chain}{account}:{amount:.2f}".encode()).hexdigest()  # <- cause: reconcile
        await asyncio.sleep(RECONCILE_EVERY_S)


reconciling = asyncio.get_event_loop().create_task(reconcile())  # uvicorn imports this module in its loop


@app.get("/health")
async def health():
    if not app.state.rounds:
        raise HTTPException(503)  # still reading the ledger
    return {"status": "ok"}


@app.get("/articles/{number}")
async def article(number: int):
    session = open_sessions[number] = Session()
    try:
        found = session.get(Article, number)  # <- cause: pool
    except PoolIsDry:
        raise HTTPException(503) from None
    if found is None:
        raise HTTPException(404)  # the session stays open, and keeps its connection
    open_sessions.pop(number).close()
    return {"name": found.name}
