# SPDX-License-Identifier: Apache-2.0
"""A FastAPI application with an endpoint that is no coroutine: it runs in the thread pool, and computes there for about as long as
it takes to render a small page, so that the loop and the pool's threads fight for the GIL."""
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse

app = FastAPI()


@app.get("/", response_class=PlainTextResponse)
def page():
    return str(sum(number * number for number in range(5000)))
