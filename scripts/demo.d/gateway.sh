# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The demonstration of the README: an async service whose middleware commits to PostgreSQL and asks Redis synchronously.

python=/usr/bin/python3
traffic=$demo_directory/traffic.py

say "Starting PostgreSQL, Redis and an order gateway (FastAPI on uvicorn, scripts/demo.d/app), all private to this demo …"
start_postgres
start_redis
start_uvicorn "$demo_directory/app" main:app \
	DATABASE_URL="postgresql+psycopg2://postgres@127.0.0.1:$postgres_port/postgres" REDIS_URL="redis://127.0.0.1:$redis_port/0"
echo "    postgres on port $postgres_port, redis on port $redis_port, the gateway on port $app_port is process $app_pid"

say "Nobody orders yet. The health check, which uses neither database nor Redis:"
"$python" "$traffic" health "$app_port" --count 15

# A commit that waits for its disk or its standby: 120 to 270 ms, slept by a trigger that runs at COMMIT.
sql <<'SQL'
CREATE FUNCTION busy_disk() RETURNS trigger LANGUAGE plpgsql AS
	$$ BEGIN PERFORM pg_sleep(0.12 + 0.15 * random()); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER busy_disk AFTER INSERT ON audit_log
	DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION busy_disk();
SQL
start report "$python" "$traffic" report "$redis_port" --seconds 90
start orders "$python" "$traffic" orders "$app_port" --seconds 90
sleep 1
say "Now two customers order, the database's disk is busy, and a reporting job runs KEYS on Redis. The same health check:"
"$python" "$traffic" health "$app_port" --count 30
echo "    The gateway's log says: $(grep -cE 'ERROR|WARNING|Traceback' "$scratch/app.log" || true) errors or warnings. Its CPU: $(
	ps -o %cpu= -p "$app_pid" | tr -d ' '
) %."

say "So what blocks it? Asked from outside, without a restart:"
echo "    \$ ${loopsnoop#"$PWD/"} -p $app_pid -d 15s"
echo
status=0
timeout --foreground -k 5 60 "$loopsnoop" -p "$app_pid" -d 15s || status=$?
[ "$status" -eq 0 ] || die "loopsnoop ended with exit status $status"

say "The two lines to mend were put there on purpose; compare:"
grep -nE 'session\.commit\(|answers\.get\(' "$demo_directory"/app/gateway/*.py | sed "s|^$PWD/|    |; s|: *|: |2"
