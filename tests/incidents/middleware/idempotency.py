# SPDX-License-Identifier: Apache-2.0
"""A client that sends an order twice with the same Idempotency-Key gets the first answer again; the answers are kept in Redis."""
import os

import redis

KEEP_SECONDS = 3600

client = redis.Redis.from_url(os.environ["REDIS_URL"])


def recall(key):
    return client.get(f"answer:{key}")  # <- cause: get


def remember(key, answer):
    client.setex(f"answer:{key}", KEEP_SECONDS, answer)  # <- cause: setex
