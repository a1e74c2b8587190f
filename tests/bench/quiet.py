# SPDX-License-Identifier: Apache-2.0
"""Whether loopsnoop says nothing where nothing is wrong: twenty healthy servers of different kinds, with customers who wait as their kind
does (events, long polls, idle keep-alive connections, subscriptions), and loopsnoop --all beside them. Status 1 when it reports a standstill
of one of them, or a stall that was more than the machine being busy."""
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import command
import figures

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))
from harness import servers, waiting  # noqa: E402
from harness.standing import REQUEST, Server, Standing  # noqa: E402

MODES = ("keep_alive", "long_poll", "long_poll_queue", "events", "socket_messages", "log_sink", "workers")
LOOPS = ((), ("--uvloop",))
# Of a machine that is busy with other things: the loop was ready, or computed, and did not get its CPU.
OF_THE_MACHINE = {"runqueue", "cpu", "page_fault"}

NODE = """
const http = require('http');
http.createServer((q, s) => { if (q.url === '/events') { s.write(': hello\\n\\n'); } else { s.end('ok'); } }).listen(PORT, '127.0.0.1');
"""
GEVENT = """
from gevent import monkey; monkey.patch_all()
from gevent.pywsgi import WSGIServer
import time
def app(environ, start_response):
    if environ["PATH_INFO"] == "/events":
        time.sleep(3600)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"ok"]
WSGIServer(("127.0.0.1", PORT), app, log=None).serve_forever()
"""
THREADED = """
import http.server, time
class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/events":
            time.sleep(3600)
        self.send_response(200); self.send_header("Content-Length", "2"); self.end_headers(); self.wfile.write(b"ok")
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Answers).serve_forever()
"""


class Simple(Server):
    """A server that answers GET /, and holds whoever asks for /events; or another one with what its customers say in place of these."""

    def __init__(self, name, arguments, folder, hello=REQUEST % b"/", waits=REQUEST % b"/events"):
        self.name, self.hello, self.waits = name, hello, waits
        self.port = servers.free_port()
        super().__init__([str(word).replace("PORT", str(self.port)) for word in arguments], cwd=folder, stdin=subprocess.DEVNULL,
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def started(self):
        waiting.until(lambda: servers.accepts(self.port), f"the start of {self.name}")

    def begin(self):
        self.connect()  # says nothing
        self.connect().sendall(self.waits)

    def talk(self):
        with contextlib.closing(socket.create_connection(("127.0.0.1", self.port), timeout=10)) as connection:
            connection.sendall(self.hello)
            assert connection.recv(1000), f"{self.name} does not answer"


class Modes(Standing):
    """A target of the tests' kinds of healthy servers."""

    def __init__(self, folder, mode, loop):
        super().__init__(folder, mode, loop)
        self.mode = mode
        self.name = f"{mode} {'uvloop' if loop else 'asyncio'}"

    def begin(self):
        if self.mode not in ("workers", "log_sink"):
            self.ask(times=3)

    def talk(self):
        if self.mode == "log_sink":
            (self.connections or [self.connect()])[0].sendall(b"<13>1 something was logged\n")
        elif self.mode != "workers":
            self.healthy()
            self.connections.pop()


def all_servers(folder, stack):
    for loop in LOOPS:
        for mode in MODES:
            place = folder / f"{mode}{len(loop)}"
            place.mkdir()
            yield stack.enter_context(Modes(place, mode, loop))
    python, redis = "/usr/bin/python3", ("redis-server", "--port", "PORT", "--save", "")
    for name, arguments, more in (
        ("Node", ("node", "-e", NODE), {}), ("a second Node", ("node", "-e", NODE), {}), ("Redis", redis, {"hello": b"PING\r\n", "waits": b"SUBSCRIBE news\r\n"}),
        ("gevent", (python, "-c", GEVENT), {}), ("threads", (python, "-c", THREADED), {}),
        ("Prometheus", ("prometheus", "--web.listen-address=127.0.0.1:PORT", "--config.file=/dev/null", f"--storage.tsdb.path={folder}/tsdb"), {}),
    ):
        yield stack.enter_context(Simple(name, arguments, folder, **more))


def measure(binary, minutes, folder):
    with contextlib.ExitStack() as stack:
        running = list(all_servers(folder, stack))
        names = {server.pid: server.name for server in running}
        for server in running:
            server.begin()
        failed, ended = [], threading.Event()

        def talk():
            while not failed and not ended.wait(2):
                for server in running:
                    try:
                        server.talk()
                    except (AssertionError, OSError) as error:
                        failed.append(f"{server.name}: {error}")

        record = folder / "quiet.jsonl"
        with open(folder / "quiet.txt", "wb") as text:
            process = subprocess.Popen([binary, "--all", "-d", f"{minutes * 60:g}s", "-j", record], stdin=subprocess.DEVNULL, stdout=text, stderr=subprocess.STDOUT)
            talker = threading.Thread(target=talk)
            talker.start()
            try:
                status = process.wait(60 * minutes + 60)
            finally:
                process.kill()
                ended.set()
                talker.join()
        if status != 0 or failed:
            raise RuntimeError("; ".join(failed) or f"loopsnoop ended with status {status}: {(folder / 'quiet.txt').read_text()[-500:]}")
    records = [json.loads(line) for line in record.read_text().splitlines()]
    followed = {one["pid"] for one in records if one["type"] == "loop"} & set(names)
    standstills = [f"{names[one['pid']]}: {one['summary']}" for one in records if one["type"] == "standstill" and one["pid"] in names]
    stalls = [one for one in records if one["type"] == "stall" and one["phase"] == "ended" and one["pid"] in names]
    return {"minutes": minutes, "servers": len(names), "followed": len(followed), "not_followed": sorted(names[pid] for pid in set(names) - followed),
            "standstills": standstills, "stalls": len(stalls),
            "stalls_not_of_the_machine": [f"{names[one['pid']]}: {one['summary']}" for one in stalls if one["cause"] not in OF_THE_MACHINE]}


def parse():
    parser = command.parser("quiet", __doc__)
    parser.add_argument("--minutes", type=float, default=5, help="how long (default: 5)")
    options = parser.parse_args()
    if options.minutes <= 0:
        parser.error("--minutes must be more than 0")
    return options


def main(options):
    with tempfile.TemporaryDirectory(prefix="loopsnoop-bench-") as folder:
        found = measure(os.path.abspath(options.binary), options.minutes, Path(folder))
    about = command.about(options)
    row = (f"{found['minutes']:g} min", found["servers"], found["followed"], len(found["standstills"]), found["stalls"], len(found["stalls_not_of_the_machine"]))
    text = figures.table(("time", "healthy servers", "of them followed", "standstills", "stalls", "of them not the machine's"), [row])
    command.publish(options, "quiet", text + f"\n\n{about['loopsnoop']}, kernel {about['kernel']}. Not followed: {', '.join(found['not_followed']) or 'none'}.",
                    {"about": about, **found})
    wrong = found["standstills"] + found["stalls_not_of_the_machine"]
    if wrong:
        sys.exit("bench: said of healthy servers: " + "; ".join(wrong))


if __name__ == "__main__":
    command.run(parse, main)
