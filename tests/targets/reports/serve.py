# SPDX-License-Identifier: Apache-2.0
"""What the programs of this folder serve with: asyncio's streams, a function for each path."""

import asyncio


def answering(pages):
    async def client(reader, writer):
        path = (await reader.readline()).split()[1].decode()
        while await reader.readline() not in (b"\r\n", b""):
            pass
        answer = pages[path]()
        if asyncio.iscoroutine(answer):
            answer = await answer
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(answer), answer))

    return client


async def serve(port, pages):
    server = await asyncio.start_server(answering({"/": lambda: b"ok", **pages}), "127.0.0.1", int(port))
    await server.serve_forever()
