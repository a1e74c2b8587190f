# SPDX-License-Identifier: Apache-2.0
"""Real clients of real servers; only for interpreters that have them installed."""

import psycopg2
import redis

from wait import Wait


class Database(Wait):
    cause = "socket"
    syscalls = ("poll",)

    def set_up(self):
        self.connection = psycopg2.connect(self.world.options["postgres"])
        self.cursor = self.connection.cursor()

    def resource(self):
        info = self.connection.info
        return {
            "kind": "socket",
            "fd": self.connection.fileno(),
            "protocol": "tcp",
            "remote": "%s:%d" % (info.host, info.port),
            "state": "ESTABLISHED",
            "peer": {"pid": info.backend_pid, "comm": "postgres"},
        }


class PostgresQuery(Database):
    def block(self):
        self.cursor.execute("select pg_sleep(%s)", (self.seconds,))  # <- blocks


class PostgresCommit(Database):
    """The commit runs a deferred trigger that takes its time."""

    def set_up(self):
        super().set_up()
        self.cursor.execute(
            """
            create table audit (seconds float8);
            create function dawdle() returns trigger language plpgsql as
                $$ begin perform pg_sleep(new.seconds); return null; end $$;
            create constraint trigger slow after insert on audit deferrable initially deferred
                for each row execute function dawdle();
            """
        )
        self.connection.commit()

    def prepare(self):
        self.cursor.execute("insert into audit values (%s)", (self.seconds,))

    def block(self):
        self.connection.commit()  # <- blocks


class Redis(Wait):
    cause = "socket"
    syscalls = ("recvfrom",)
    through = ("execute_command", "parse_response")
    timeout = None

    def set_up(self):
        self.port = int(self.world.options["redis"])
        self.client = redis.Redis("127.0.0.1", self.port, socket_timeout=self.timeout)
        self.client.ping()
        self.server = self.client.info("server")["process_id"]

    def resource(self):
        return {
            "kind": "socket",
            "protocol": "tcp",
            "remote": "127.0.0.1:%d" % self.port,
            "state": "ESTABLISHED",
            "peer": {"pid": self.server, "comm": "redis-server"},
        }


class RedisBlpop(Redis):
    through = ("blpop",) + Redis.through

    def block(self):
        self.client.blpop("nothing", self.seconds)  # <- blocks


class RedisDebugSleep(Redis):
    def block(self):
        self.client.execute_command("DEBUG", "SLEEP", str(self.seconds))  # <- blocks


class RedisTimeout(Redis):
    """A client with a time-out polls its one socket."""

    syscalls = ("poll",)
    timeout = 5000

    def block(self):
        self.client.execute_command("DEBUG", "SLEEP", str(self.seconds))  # <- blocks


WAITS = {
    "postgres_query": PostgresQuery,
    "postgres_commit": PostgresCommit,
    "redis_blpop": RedisBlpop,
    "redis_debug_sleep": RedisDebugSleep,
    "redis_timeout": RedisTimeout,
}
