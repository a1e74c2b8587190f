# SPDX-License-Identifier: Apache-2.0
"""The gateway as it went into production: both middlewares are async functions that call a database the synchronous way."""
import audit
import idempotency
import orders
from fastapi import FastAPI, Request, Response

audit.Base.metadata.create_all(audit.engine)
app = FastAPI(title="gateway")
app.include_router(orders.router)


@app.middleware("http")
async def audit_middleware(request: Request, call_next):
    response = await call_next(request)
    if request.method == "POST":
        audit.record(request.method, request.url.path, response.status_code)
    return response


@app.middleware("http")
async def idempotency_middleware(request: Request, call_next):
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return await call_next(request)
    answered = idempotency.recall(key)
    if answered is not None:
        return Response(answered, media_type="application/json")
    response = await call_next(request)
    body = b"".join([chunk async for chunk in response.body_iterator])
    idempotency.remember(key, body)
    return Response(body, response.status_code, media_type="application/json")
