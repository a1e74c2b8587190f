# SPDX-License-Identifier: Apache-2.0
"""A client that sends an order twice with the same Idempotency-Key gets the first answer again."""
import os

import redis
from fastapi import Request, Response
from starlette.background import BackgroundTask

KEEP_SECONDS = 3600

answers = redis.Redis.from_url(os.environ["REDIS_URL"])


async def idempotency_middleware(request: Request, call_next):
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return await call_next(request)
    answered = answers.get(f"answer:{key}")
    if answered is not None:
        return Response(answered, media_type="application/json")
    response = await call_next(request)
    body = b"".join([chunk async for chunk in response.body_iterator])
    remember = None
    if response.status_code < 300:
        remember = BackgroundTask(answers.setex, f"answer:{key}", KEEP_SECONDS, body)  # runs in a worker thread
    return Response(body, response.status_code, media_type="application/json", background=remember)
