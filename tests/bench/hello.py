# SPDX-License-Identifier: Apache-2.0
"""The smallest ASGI application: what a request costs here is the loop, the parser and the system calls."""

HEAD = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain"), (b"content-length", b"2")]}
BODY = {"type": "http.response.body", "body": b"ok"}


async def app(scope, receive, send):
    if scope["type"] == "http":
        await send(HEAD)
        await send(BODY)
