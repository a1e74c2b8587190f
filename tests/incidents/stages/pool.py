# SPDX-License-Identifier: Apache-2.0
"""Incident 2: a pool runs dry, and a background task grows."""
import contextlib

import psycopg2

from . import scene

APPLICATION = scene.FOLDER / "pool"
POOL_TIMEOUT_S = 2.5  # 30 in production
BOOKINGS = 100_000
HEALTHY_REQUESTS = 40

TABLES = f"""
    create table articles (id serial primary key, name varchar not null);
    insert into articles (name) select 'chair ' || n from generate_series(1, 100) n;
    create table ledger (id serial primary key, account varchar not null, amount numeric(12, 2) not null);
    insert into ledger (account, amount) select 'account ' || n % 100, n % 1000 from generate_series(1, {BOOKINGS}) n;
"""


@contextlib.contextmanager
def stage(folder, variant):
    with contextlib.ExitStack() as stack:
        database = stack.enter_context(scene.servers.postgres(folder / "postgres"))
        with contextlib.closing(psycopg2.connect(database)) as connection, connection.cursor() as cursor:
            cursor.execute(TABLES)
            connection.commit()
        pid, port = stack.enter_context(
            scene.uvicorn(
                folder,
                APPLICATION,
                variant,
                DATABASE_URL="postgresql+psycopg2://?" + "&".join(database.split()),
                POOL_TIMEOUT=POOL_TIMEOUT_S,
                RECONCILE_EVERY_S=1,
            )
        )
        scene.waiting.until(lambda: scene.get(port, "/health") == 200 or variant == "busy", "the ledger")
        crowd = stack.enter_context(scene.Crowd())

        def begin():
            # In the end one customer in ten asks for what there is not.
            def browse(number):
                there_is_none = number > HEALTHY_REQUESTS and number % 10 == 0
                scene.get(port, f"/articles/{1000 + number if there_is_none else 1 + number % 100}")

            crowd.repeat(browse, 0.05)

        yield scene.Scene(["-p", pid], scene.causes(APPLICATION, variant), pid, port, begin=begin)
