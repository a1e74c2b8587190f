# SPDX-License-Identifier: Apache-2.0
"""A service that loads its modules side by side to start faster.

Usage: main.py imports|locks PORT
"""
import importlib
import sys
import threading

import uvicorn
from fastapi import FastAPI

app = FastAPI(title="shop")


def load(names):
    threads = [threading.Thread(target=importlib.import_module, args=(name,), name=f"{name}-loader") for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()  # <- cause: main


@app.get("/health")
async def health():
    return {"status": "ok"}


if __name__ == "__main__":
    load({"imports": ("orders", "billing"), "locks": ("stock", "prices")}[sys.argv[1]])
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="warning")
