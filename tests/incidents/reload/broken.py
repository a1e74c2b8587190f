# SPDX-License-Identifier: Apache-2.0
"""A service under `uvicorn --reload` that writes down what it was built from, as a module for others to import, beside itself: in
the folder that the reloader watches."""
import pathlib
import time

from fastapi import FastAPI

BUILD_INFO = pathlib.Path(__file__).with_name("build_info.py")


def load(seconds):
    """A service of some size takes a while to start."""
    time.sleep(seconds)  # <- cause: loading


load(0.7)
BUILD_INFO.write_text(f"BUILT_AT = {time.time()}\n")  # <- cause: write
load(2.5)
app = FastAPI(title="shop")


@app.get("/health")
async def health():
    return {"status": "ok"}
