# SPDX-License-Identifier: Apache-2.0
"""Incident 1: synchronous calls in async middleware."""
import contextlib
import json

import psycopg2
import redis

from . import scene

APPLICATION = scene.FOLDER / "middleware"
CUSTOMERS = ("ann", "bob", "cem")

# A commit that waits for its disk or its standby: 50 to 500 ms, slept by a trigger that runs at COMMIT.
BUSY_DISK = """
    create function busy_disk() returns trigger language plpgsql as
        $$ begin perform pg_sleep(0.05 + 0.45 * random()); return null; end $$;
    create constraint trigger busy_disk after insert on audit_log
        deferrable initially deferred for each row execute function busy_disk();
"""


@contextlib.contextmanager
def stage(folder, variant):
    with contextlib.ExitStack() as stack:
        database = stack.enter_context(scene.servers.postgres(folder / "postgres"))
        redis_port = stack.enter_context(scene.servers.redis(folder / "redis"))
        pid, port = stack.enter_context(
            scene.uvicorn(
                folder,
                APPLICATION,
                variant,
                DATABASE_URL="postgresql+psycopg2://?" + "&".join(database.split()),
                REDIS_URL=f"redis://127.0.0.1:{redis_port}/0",
            )
        )
        with contextlib.closing(psycopg2.connect(database)) as connection, connection.cursor() as cursor:
            cursor.execute(BUSY_DISK)
            connection.commit()
        crowd = stack.enter_context(scene.Crowd())
        reports = redis.Redis(port=redis_port)

        def order(name):
            def place(number):
                headers = {"Content-Type": "application/json", "Idempotency-Key": f"{name}-{number}"}
                scene.get(port, "/orders", "POST", json.dumps({"article": f"chair-{number % 7}"}), headers)

            return place

        def begin():
            # A report that keeps Redis to itself, as KEYS on a large database does.
            crowd.repeat(lambda _number: reports.execute_command("DEBUG", "SLEEP", "0.25"), 0.4)
            for name in CUSTOMERS:
                crowd.repeat(order(name), 0.05)

        yield scene.Scene(["-p", pid], scene.causes(APPLICATION, variant), pid, port, begin=begin)
