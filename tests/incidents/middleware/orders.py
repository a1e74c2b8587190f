# SPDX-License-Identifier: Apache-2.0
"""What the gateway is for."""
from fastapi import APIRouter
from pydantic import BaseModel

router = APIRouter()


class Order(BaseModel):
    article: str
    count: int = 1


@router.get("/health")
async def health():
    return {"status": "ok"}


@router.post("/orders", status_code=201)
async def place_order(order: Order):
    return {"status": "accepted", "article": order.article, "count": order.count}
