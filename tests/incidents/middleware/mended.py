# SPDX-License-Identifier: Apache-2.0
"""The same gateway with the same calls, made in the thread pool."""
import audit
import idempotency
import orders
from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool

audit.Base.metadata.create_all(audit.engine)
app = FastAPI(title="gateway")
app.include_router(orders.router)


@app.middleware("http")
async def audit_middleware(request: Request, call_next):
    response = await call_next(request)
    if request.method == "POST":
        await run_in_threadpool(audit.record, request.method, request.url.path, response.status_code)
    return response


@app.middleware("http")
async def idempotency_middleware(request: Request, call_next):
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return await call_next(request)
    answered = await run_in_threadpool(idempotency.recall, key)
    if answered is not None:
        return Response(answered, media_type="application/json")
    response = await call_next(request)
    body = b"".join([chunk async for chunk in response.body_iterator])
    await run_in_threadpool(idempotency.remember, key, body)
    return Response(body, response.status_code, media_type="application/json")
