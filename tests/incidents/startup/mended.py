# SPDX-License-Identifier: Apache-2.0
"""The same service: it answers at once, says what it does not have yet, and asks for it in the background, with a time-out."""
import asyncio
import json
import os

import uvicorn
from fastapi import FastAPI

app = FastAPI(title="shop")
settings = {}


async def fetch_settings():
    reader, writer = await asyncio.open_connection("127.0.0.1", int(os.environ["CONFIG_PORT"]))
    writer.write(b"settings of shop\n")
    settings.update(json.loads(await reader.readline()))
    writer.close()


async def keep_asking():
    while not settings:
        try:
            await asyncio.wait_for(fetch_settings(), 1)
        except (OSError, asyncio.TimeoutError):
            await asyncio.sleep(1)


@app.on_event("startup")
async def begin():
    app.state.asking = asyncio.create_task(keep_asking())


@app.get("/health")
async def health():
    return {"status": "ok" if settings else "without settings", "settings": settings}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ["PORT"]), log_level="warning")
