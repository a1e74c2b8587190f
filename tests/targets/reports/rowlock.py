# SPDX-License-Identifier: Apache-2.0
"""A WSGI application for gunicorn's gevent worker whose psycopg2 is not made cooperative: a greenlet holds the lock of a row and sleeps,
another one waits for it in libpq, and with it the whole process."""

import os

import gevent
import psycopg2


def pay(environ, start_response):
    if environ["PATH_INFO"] == "/pay":
        with psycopg2.connect(os.environ["DSN"]) as connection, connection.cursor() as cursor:
            cursor.execute("UPDATE account SET cents = cents - 1 WHERE id = 1")
            gevent.sleep(0.5)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return [b"ok"]
