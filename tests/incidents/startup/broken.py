# SPDX-License-Identifier: Apache-2.0
"""A service that asks the configuration service for its settings before it does anything else, and has no time-out for that."""
import json
import os
import socket

import uvicorn
from fastapi import FastAPI


def fetch_settings():
    connection = socket.create_connection(("127.0.0.1", int(os.environ["CONFIG_PORT"])))  # <- cause: connect
    with connection, connection.makefile("rw") as lines:
        lines.write("settings of shop\n")
        lines.flush()
        return json.loads(lines.readline())


app = FastAPI(title="shop")
settings = fetch_settings()


@app.get("/health")
async def health():
    return {"status": "ok", "settings": settings}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ["PORT"]), log_level="warning")
