# SPDX-License-Identifier: Apache-2.0
"""The same service: what it writes is written where nobody watches."""
import os
import pathlib
import time

from fastapi import FastAPI

BUILD_INFO = pathlib.Path(os.environ["STATE_FOLDER"], "build_info.py")


def load(seconds):
    """A service of some size takes a while to start."""
    time.sleep(seconds)  # <- cause: loading


load(0.7)
BUILD_INFO.write_text(f"BUILT_AT = {time.time()}\n")  # <- cause: write
app = FastAPI(title="shop")


@app.get("/health")
async def health():
    return {"status": "ok"}
