# SPDX-License-Identifier: Apache-2.0
"""The same shop: sessions are closed on every path, the database is asked in the thread pool, and the ledger is added up there."""
import asyncio
import hashlib
import os

from fastapi import FastAPI, HTTPException
from shop import Article, Booking, Session

RECONCILE_EVERY_S = float(os.environ.get("RECONCILE_EVERY_S", "60"))
BATCH = 2000
app = FastAPI(title="shop")
app.state.rounds = 0


def read_ledger():
    with Session() as session:
        return session.query(Booking.account, Booking.amount).all()


async def reconcile():
    bookings = await asyncio.get_running_loop().run_in_executor(None, read_ledger)
    while True:
        app.state.rounds += 1
        chain = ""
        for start in range(0, len(bookings), BATCH):
            for account, amount in bookings[start : start + BATCH]:
                chain = hashlib.sha256(f"{chain}{account}:{amount:.2f}".encode()).hexdigest()  # <- cause: reconcile
            await asyncio.sleep(0)
        await asyncio.sleep(RECONCILE_EVERY_S)


reconciling = asyncio.get_event_loop().create_task(reconcile())


@app.get("/health")
async def health():
    if not app.state.rounds:
        raise HTTPException(503)  # still reading the ledger
    return {"status": "ok"}


@app.get("/articles/{number}")
def article(number: int):
    with Session() as session:
        found = session.get(Article, number)  # <- cause: pool
    if found is None:
        raise HTTPException(404)
    return {"name": found.name}
