# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by scripts/demo: private servers for a demonstration, and their end. All they write is in $scratch, they listen
# on loopback only, and whatever way the script ends (kill -9 excepted) they are stopped and $scratch is gone.

scratch=
started=() # pids, in the order of their start

say() { printf '\n%s\n' "$*"; }

die() {
	echo "demo: $*" >&2
	exit 1
}

open_scratch() {
	scratch=$(mktemp -d /tmp/loopsnoop-demo.XXXXXX)
	chmod 755 "$scratch" # PostgreSQL runs as another user below it
	trap close_scratch EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
}

close_scratch() {
	trap '' INT TERM HUP
	local i
	for ((i = ${#started[@]} - 1; i >= 0; i--)); do stop "${started[i]}"; done
	rm -rf "$scratch"
}

# SIGTERM, and SIGKILL to what has not ended three seconds later.
stop() {
	local pid=$1 tries
	kill -TERM "$pid" 2>/dev/null || return 0
	for ((tries = 0; tries < 30; tries++)); do
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.1
	done
	kill -KILL "$pid" 2>/dev/null || true
	wait "$pid" 2>/dev/null || true
}

# start NAME COMMAND…: in the background, its output in $scratch/NAME.log, its pid in $last_pid. A session of its own keeps
# the terminal's Ctrl-C from it.
start() {
	local name=$1
	shift
	setsid "$@" >"$scratch/$name.log" 2>&1 </dev/null &
	last_pid=$!
	started+=("$last_pid")
}

# wait_until WHAT LOG COMMAND…: until the command succeeds, ten seconds at most.
wait_until() {
	local what=$1 log=$2 tries
	shift 2
	for ((tries = 0; tries < 100; tries++)); do
		if "$@" >/dev/null 2>&1; then return; fi
		sleep 0.1
	done
	die "$what did not come up within 10 s; its log ends with: $(tail -n 1 "$log" 2>/dev/null)"
}

free_port() {
	/usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# Sets $postgres_port; user postgres, database postgres, no password.
start_postgres() {
	local directories=(/usr/lib/postgresql/*/bin)
	local bin=${directories[-1]} as_postgres=(setpriv --reuid postgres --regid postgres --init-groups)
	[ -x "$bin/initdb" ] || die "PostgreSQL's initdb is not in $bin; run scripts/setup demo"
	postgres_port=$(free_port)
	install -d -o postgres -m 700 "$scratch/postgres"
	"${as_postgres[@]}" "$bin/initdb" -D "$scratch/postgres" -A trust -U postgres --no-sync --no-locale -E UTF8 \
		>"$scratch/initdb.log" 2>&1 || die "initdb failed: $(tail -n 1 "$scratch/initdb.log")"
	start postgres "${as_postgres[@]}" "$bin/postgres" -D "$scratch/postgres" -p "$postgres_port" -k "$scratch/postgres" \
		-c listen_addresses=127.0.0.1
	wait_until PostgreSQL "$scratch/postgres.log" pg_isready -q -h 127.0.0.1 -p "$postgres_port"
}

# Runs the SQL on standard input.
sql() {
	psql -qX -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$postgres_port" -U postgres postgres >/dev/null
}

# Sets $redis_port.
start_redis() {
	redis_port=$(free_port)
	start redis redis-server --port "$redis_port" --bind 127.0.0.1 --save '' --appendonly no --dir "$scratch"
	wait_until Redis "$scratch/redis.log" redis-cli -p "$redis_port" ping
}

# start_uvicorn APP-DIRECTORY MODULE:APP [ENVIRONMENT…]: sets $app_port and $app_pid.
start_uvicorn() {
	local directory=$1 app=$2
	shift 2
	app_port=$(free_port)
	start app env -u PYTHONPATH -u PYTHONHOME PYTHONDONTWRITEBYTECODE=1 "$@" \
		/usr/bin/uvicorn --app-dir "$directory" --host 127.0.0.1 --port "$app_port" --loop asyncio --no-access-log "$app"
	app_pid=$last_pid
	wait_until "the application" "$scratch/app.log" app_answers
}

app_answers() { /usr/bin/python3 "$demo_directory/traffic.py" health "$app_port" --count 1; }
