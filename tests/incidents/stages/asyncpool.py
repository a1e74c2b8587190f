# SPDX-License-Identifier: Apache-2.0
"""Incident 6: the connections of an asynchronous pool leak, one by one."""
import contextlib

import psycopg2

from . import scene

APPLICATION = scene.FOLDER / "asyncpool"
CUSTOMERS = 8
TABLE = """
    create table articles (id serial primary key, name varchar not null);
    insert into articles (name) select 'chair ' || n from generate_series(1, 100) n;
"""


@contextlib.contextmanager
def stage(folder, variant):
    with contextlib.ExitStack() as stack:
        database = stack.enter_context(scene.servers.postgres(folder / "postgres"))
        with contextlib.closing(psycopg2.connect(database)) as connection, connection.cursor() as cursor:
            cursor.execute(TABLE)
            connection.commit()
        words = dict(word.split("=", 1) for word in database.split())
        url = f"postgresql+asyncpg://{words['user']}@{words['host']}:{words['port']}/{words['dbname']}"
        pid, port = stack.enter_context(scene.uvicorn(folder, APPLICATION, variant, DATABASE_URL=url))
        crowd = stack.enter_context(scene.Crowd())

        def begin():
            for number in range(5):
                scene.get(port, f"/articles/{1 + number}")
            for number in range(3):  # there is none of these
                scene.get(port, f"/articles/{1000 + number}")
            for customer in range(CUSTOMERS):
                crowd.repeat(lambda number, customer=customer: scene.get(port, f"/articles/{1 + customer}", timeout=8), 0.5)

        yield scene.Scene(["-p", pid], scene.causes(APPLICATION, variant), pid, port, begin=begin)
