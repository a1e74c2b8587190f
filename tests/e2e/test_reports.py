# SPDX-License-Identifier: Apache-2.0
"""Public reports of frozen servers, made again in other languages and frameworks: which line, in whose hands, and what is not to be said. What
they need is in tests/targets/reports."""

import contextlib
import fcntl
import os
import pathlib
import subprocess

import pytest

from harness import places, servers, snoop
from harness.served import Served, check

REPORTS = places.TESTS / "targets" / "reports"
STARTUP = ("startup", "no event loop seen")


def line_of(file, words):
    """The number of the only line with these words."""
    (number,) = [number for number, line in enumerate((REPORTS / file).read_text().splitlines(), 1) if words in line]
    return number


def is_certain(record):
    """Also of the threads that had only just begun, or were about something of their own at first."""
    return "no_end" in record


def python(script, *arguments):
    return (places.SYSTEM_PYTHON, REPORTS / script, *arguments)


@pytest.fixture
def locked(folder):
    """A file that somebody else has locked; also (path, the name of who has it)."""
    path = folder / "ledger"
    path.touch()
    holder = folder / "nightly-batch"
    holder.write_text("#!/usr/bin/perl\nuse Fcntl ':flock'; open my $f, '+<', $ARGV[0]; flock $f, LOCK_EX; print \"locked\\n\"; close STDOUT; sleep 600;\n")
    holder.chmod(0o755)
    with subprocess.Popen([holder, path], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"locked\n"
        yield path
        process.kill()


def test_two_mutexes_in_different_order(folder):
    """Boost.Asio, C++ at -O2: the functions that wait are inlined, and most frames are the library's templates."""
    with Served(folder, places.native("relay"), "PORT") as server:
        hang, _ = server.hang_of("/drop", of=lambda record: "deadlock" in record)
        for found in (hang, server.hang_late(of=lambda record: record["tid"] == server.pid and "deadlock" in record)[0]):
            check(found["summary"], ("deadlock", "Directory::forget"), ("boost::", "gthr-default.h", *STARTUP))
            assert len(found["deadlock"]) == 2
            assert found["culprit"]["file"].endswith("relay.cpp")
            assert found["culprit"]["line"] == line_of("relay.cpp", "names.erase(id)") - 1
        (wait,) = [wait for wait in hang["waits"] if wait["ongoing"]]
        assert any(frame["function"].startswith("Peers::drop") for frame in wait["stack"]["native"]), "it is not expanded"


def test_lock_of_a_file_behind_a_mutex_of_go(folder, locked):
    """One thread is in flock(); Go's own threads, which sleep for work, are not said to be blocked, nor to be loops."""
    program = folder / "checks"
    environment = {**os.environ, "GO111MODULE": "off", "GOCACHE": str(places.ROOT / "build" / "go-cache"), "CGO_ENABLED": "0", "GOFLAGS": "-p=2"}
    subprocess.run(["go", "build", "-o", program, REPORTS / "checks.go"], env=environment, check=True, cwd=folder)
    with Served(folder, program, "PORT", locked) as server:
        hang, text = server.hang_of("/save", asked=("/check", "/check"))
        late, later = server.hang_late()
        for found, said in ((hang, text), (late, later)):
            check(found["summary"], ("main.(*state).save", "nightly-batch"), STARTUP)
            assert found["culprit"]["line"] == line_of("checks.go", "syscall.Flock(")
            assert said.count("Go, whose threads are no loops") == 1
            check(said, never=("runtime.futex", "netpoll", "loop pid", "loop of checks"))
        assert {record["tid"] for record in (hang, late)} == {hang["tid"]}


def test_lock_of_a_file_in_perl(folder, locked):
    """Mojolicious. Perl's lines cannot be read: that is said once, and nothing is in their place."""
    with Served(folder, "perl", REPORTS / "ledger.pl", locked, "daemon", "-l", "http://127.0.0.1:PORT") as server:
        hang, text = server.hang_of("/issue")
        check(hang["summary"], ("waiting for a lock on", "ledger", "nightly-batch"), ("Perl_", "libc_start", *STARTUP))
        assert hang["culprit"] is None
        assert text.count("Perl, whose own lines cannot be read") == 1
        check(text, ("Perl code, which is not read",), ("in flock (", "in Perl_pp_flock"))
        check(server.hang_late()[0]["summary"], ("nightly-batch",), STARTUP)


def test_a_future_of_netty_that_its_own_loop_would_complete(folder):
    """Of Java the loop is followed, not the launcher's thread, which waits for its end."""
    jars = ":".join(str(jar) for jar in sorted(pathlib.Path("/usr/share/java").glob("netty-*.jar")))
    program = ("java", "-Xmx256m", "-XX:+UseSerialGC", "-cp", jars, REPORTS / "Gateway.java", "PORT")
    with Served(folder, *program) as server:
        hang, text = server.hang_of("/balance", of=is_certain)
        late, later = server.hang_late(of=is_certain)
        for found, said in ((hang, text), (late, later)):
            assert found["tid"] != server.pid and found["thread"].startswith("nioEventLoop"), found["thread"]
            check(found["summary"], ("no other thread can end this",), ("__futex_abstimed", *STARTUP))
            assert found["culprit"] is None
            check(said, ("Java, whose own lines cannot be read",), ("in __futex_abstimed",))


def test_a_promise_that_only_its_own_loop_can_settle(folder):
    with Served(folder, "node", REPORTS / "settle.mjs", "PORT") as server:
        hang, _ = server.hang_of("/", of=is_certain)
        for found in (hang, server.hang_late(of=is_certain)[0]):
            check(found["summary"], ("settle", "but a timer of another thread could end this"), STARTUP)  # the worker's loop has one
            assert found["culprit"]["function"] == "settle"


NGINX = """
daemon off; master_process on; worker_processes 1; user root; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
  access_log {folder}/access combined;
  client_body_temp_path {folder}/tmp; proxy_temp_path {folder}/tmp; fastcgi_temp_path {folder}/tmp; uwsgi_temp_path {folder}/tmp; scgi_temp_path {folder}/tmp;
  server {{ listen 127.0.0.1:PORT; location / {{ return 200 "hello"; }} }}
}}
"""


def test_nginx_whose_log_nobody_reads(folder):
    """The master waits for signals; its worker is followed, which writes to a full pipe."""
    os.mkfifo(folder / "access")
    reader = os.open(folder / "access", os.O_RDONLY | os.O_NONBLOCK)
    fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 4096)
    (folder / "tmp").mkdir()
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, reader)
        server = Served(folder, "/usr/sbin/nginx", "-c", folder / "nginx.conf", "-p", f"{folder}/")
        (folder / "nginx.conf").write_text(NGINX.format(folder=folder).replace("PORT", str(server.port)))
        stack.enter_context(server)
        with snoop.Snoop("-p", server.pid, "--hang-after", "500ms", folder=folder) as snooping:
            snooping.session()
            for _ in range(80):
                server.ask("/" + 100 * "x")
            hang = snooping.ongoing()
            snooping.stop()
            text = snooping.text()
        assert hang["pid"] != server.pid
        check(text, (f"(pid {server.pid}) has its work done by a process below it", "followed, too"), STARTUP)
        check(hang["summary"], ("writing to FIFO", str(folder / "access"), "which is full", f"(pid {os.getpid()})"), STARTUP)
        assert hang["cause"] == "pipe"


def test_a_row_that_a_greenlet_of_the_same_process_has_locked(folder, postgres):
    """psycopg2 below gunicorn's gevent worker: PostgreSQL's own words for both sessions, and whose client has the lock."""
    psql = [servers.postgres_binaries() / "psql", "-q", postgres, "-c"]
    subprocess.run([*psql, "DROP TABLE IF EXISTS account; CREATE TABLE account (id int PRIMARY KEY, cents int); INSERT INTO account VALUES (1, 900)"], check=True)
    program = (places.SYSTEM_PYTHON, "-m", "gunicorn", "--chdir", REPORTS, "-b", "127.0.0.1:PORT", "-w", "1", "-t", "300", "-k", "gevent", "rowlock:pay")
    with Served(folder, *program, environment={"DSN": postgres}) as server:
        server.answers()
        hang, text = server.hang_of("/pay", asked=("/pay",), of=lambda record: record["pid"] != server.pid)
        assert (hang["culprit"]["function"], hang["culprit"]["line"]) == ("pay", line_of("rowlock.py", "cursor.execute"))
        assert "UPDATE waiting" in hang["peer"]["title"]
        check(text, ('whose title says "UPDATE waiting"', 'whose title says "idle in transaction"', "whose client is this very process"), STARTUP)
        late, later = server.hang_late(of=lambda record: record["pid"] != server.pid)
        assert late["culprit"] == hang["culprit"]
        check(later, never=(f"(pid {server.pid}) blocked",))


def test_result_of_a_worker_that_was_killed(folder):
    with Served(folder, *python("killed_worker.py", "PORT")) as server:
        server.answers("/small")
        hang, text = server.hang_of("/huge", "--children", of=lambda record: "SIGKILL" in record["summary"])
        check(hang["summary"], ("waiting for the result of a multiprocessing.Pool, whose worker (pid ", ") was killed by SIGKILL"), STARTUP)
        assert (hang["culprit"]["function"], hang["culprit"]["line"]) == ("report", line_of("killed_worker.py", ".get().encode()"))
        check(text, never=STARTUP)


def test_a_full_queue_that_nobody_takes_from(folder):
    with Served(folder, *python("full_queue.py", "PORT")) as server:
        hang, _ = server.hang_of("/stream", of=lambda record: "queue.Queue" in record["summary"])
        late, _ = server.hang_late(of=lambda record: "queue.Queue" in record["summary"])
        for found in (hang, late):
            assert found["thread"] == "agent-loop"
            assert (found["culprit"]["function"], found["culprit"]["line"]) == ("produce", line_of("full_queue.py", "words.put(word)"))
            check(found["summary"], ("a queue.Queue that is full (100 of 100)", "no thread takes from it"), STARTUP)


def test_thousands_of_callbacks_in_one_iteration(folder):
    with Served(folder, *python("many.py", "PORT")) as server:
        with snoop.Snoop("-p", server.pid, folder=folder) as snooping:
            stall = snooping.wait_for(lambda record: record["type"] == "stall" and record["phase"] == "ended" and record.get("callbacks", 0) > 500, "stall")
            snooping.stop()
        check(stall["summary"], ("or more callbacks of one iteration",), STARTUP)
        assert stall["callbacks"] <= 3000 + 10
        assert "task" not in stall
