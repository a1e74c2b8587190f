# SPDX-License-Identifier: Apache-2.0
"""A small shop's order gateway, with the two mistakes that the demo is about: its async middleware calls a database and a
cache the synchronous way, so that each slow answer of theirs stops every request of this process."""
from fastapi import FastAPI
from gateway.audit import audit_middleware
from gateway.database import Base, engine
from gateway.idempotency import idempotency_middleware
from pydantic import BaseModel

Base.metadata.create_all(engine)
app = FastAPI(title="gateway")
app.middleware("http")(audit_middleware)
app.middleware("http")(idempotency_middleware)


class Order(BaseModel):
    article: str
    count: int = 1


@app.get("/health")
async def health():
    return {"status": "ok"}


@app.post("/orders", status_code=201)
async def place_order(order: Order):
    return {"status": "accepted", "article": order.article, "count": order.count}
