# SPDX-License-Identifier: Apache-2.0
"""The same service: a queue of bounded length lies between those who log and the one thread that writes. When it is full, lines
are dropped and counted: a service that answers is worth more than its log."""
import logging
import logging.handlers
import os
import pathlib
import queue
import threading
import time

import durable
from fastapi import FastAPI

HANDLERS = {"0": logging.FileHandler, "1": durable.DurableHandler}
handler = HANDLERS[os.environ.get("LOG_DURABLY", "0")](os.environ["LOG_PATH"])
handler.setFormatter(logging.Formatter("%(asctime)s %(threadName)s %(levelname)s %(message)s"))


class DroppingHandler(logging.handlers.QueueHandler):
    dropped = 0

    def enqueue(self, record):
        try:
            self.queue.put_nowait(record)
        except queue.Full:
            self.dropped += 1


lines = queue.Queue(1000)
log = logging.getLogger("shop")
log.addHandler(DroppingHandler(lines))
log.setLevel(logging.INFO)
log.propagate = False
logging.handlers.QueueListener(lines, handler).start()
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
def report():
    return {"bytes": len(pathlib.Path(os.environ["REPORT_PATH"]).read_bytes())}  # <- cause: report
