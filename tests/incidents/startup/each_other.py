# SPDX-License-Identifier: Apache-2.0
"""One of two services that need each other: its port is open at once (its supervisor opened it, as systemd does), but it answers
only once the other one has answered. Neither has a time-out. Mended it answers first.

Usage: each_other.py LISTENING-DESCRIPTOR OTHER-PORT broken|mended
"""
import http.client
import sys
import threading

import uvicorn
from fastapi import FastAPI

app = FastAPI()


@app.get("/ready")
async def ready():
    return {"ready": True}


def wait_for(port):
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", "/ready")
    connection.getresponse().read()  # <- cause: wait


def main():
    listening, other, variant = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    if variant == "mended":
        threading.Thread(target=wait_for, args=(other,), daemon=True).start()
    else:
        wait_for(other)
    uvicorn.run(app, fd=listening, log_level="warning")


if __name__ == "__main__":
    main()
