# SPDX-License-Identifier: Apache-2.0
"""The same shop, whose connections are all in use for once: by reports in threads. Who asks on the loop waits for them."""
import threading

from fastapi import FastAPI
from shop import Article, Session, engine

app = FastAPI(title="shop")


def report():
    with engine.connect() as connection:
        connection.exec_driver_sql("select pg_sleep(8)")  # <- cause: report


for number in range(3):
    threading.Thread(target=report, name=f"report_{number}", daemon=True).start()


@app.get("/articles/{number}")
async def article(number: int):
    with Session() as session:
        return {"name": session.get(Article, number).name}  # <- cause: busy
