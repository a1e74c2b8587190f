# SPDX-License-Identifier: Apache-2.0
"""A small HTTP server and client on asyncio's streams."""
import asyncio


async def ask(port, path):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        return (await reader.read()).split(b"\r\n\r\n", 1)[1].decode()
    finally:
        writer.close()


async def serve(port, paths):
    async def handle(reader, writer):
        try:
            path = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
            answer = (await paths[path]()).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(answer), answer))
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", port)
    await server.serve_forever()


async def health():
    return "ok"
