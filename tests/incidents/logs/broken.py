# SPDX-License-Identifier: Apache-2.0
"""A service whose loop and worker threads log through one handler, into whatever LOG_PATH is: a pipe to the log shipper, or a file
on a disk (LOG_DURABLY=1: each line is on it before the next one is written)."""
import logging
import os
import pathlib
import threading
import time

import durable
from fastapi import FastAPI

HANDLERS = {"0": logging.FileHandler, "1": durable.DurableHandler}
handler = HANDLERS[os.environ.get("LOG_DURABLY", "0")](os.environ["LOG_PATH"])
handler.setFormatter(logging.Formatter("%(asctime)s %(threadName)s %(levelname)s %(message)s"))
log = logging.getLogger("shop")
log.addHandler(handler)
log.setLevel(logging.INFO)
log.propagate = False
app = FastAPI(title="shop")


def export_bookings():
    for number in range(1_000_000):
        log.info("booking %d exported: %s", number, "x" * 1000)  # <- cause: worker
        time.sleep(0.01)


threading.Thread(target=export_bookings, name="exporter", daemon=True).start()


@app.get("/health")
async def health():
    log.info("health was asked for")  # <- cause: loop
    return {"status": "ok"}


@app.get("/report")
async def report():
    return {"bytes": len(pathlib.Path(os.environ["REPORT_PATH"]).read_bytes())}  # <- cause: report
