# SPDX-License-Identifier: Apache-2.0
"""The other end of what the targets wait for, a process of its own called "slow-peer".

Says on its stdout which ports it took, then obeys one command a connection line: {"do": ..., "ms": ...}.
"""

import contextlib
import fcntl
import http.server
import json
import os
import socketserver
import sqlite3
import sys
import threading
import time


def answer(request, command):
    time.sleep(command["ms"] / 1000)
    request.wfile.write(b"x")


def hold_flock(request, command):
    with open(command["path"], "r+b") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        request.wfile.write(b"held\n")
        time.sleep(command["ms"] / 1000)


def hold_fcntl(request, command):
    with open(command["path"], "r+b") as held:
        fcntl.lockf(held, fcntl.LOCK_EX)
        request.wfile.write(b"held\n")
        time.sleep(command["ms"] / 1000)


def hold_sqlite(request, command):
    database = sqlite3.connect(command["path"], isolation_level=None)
    database.execute("begin exclusive")
    request.wfile.write(b"held\n")
    time.sleep(command["ms"] / 1000)
    database.execute("commit")
    database.close()


def feed_fifo(_request, command):
    time.sleep(command["ms"] / 1000)
    with open(command["path"], "wb") as fifo:
        fifo.write(b"x")


def drain_fifo(_request, command):
    fd = os.open(command["path"], os.O_RDONLY | os.O_NONBLOCK)
    time.sleep(command["ms"] / 1000)
    os.read(fd, 1 << 20)
    os.close(fd)


COMMANDS = {each.__name__: each for each in (answer, hold_flock, hold_fcntl, hold_sqlite, feed_fifo, drain_fifo)}


class Obey(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            command = json.loads(line)
            COMMANDS[command["do"]](self, command)


class SlowPage(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        time.sleep(int(self.path.rsplit("/", 1)[1]) / 1000)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_arguments):
        pass


class TcpPeer(socketserver.ThreadingTCPServer):
    daemon_threads = True


class UnixPeer(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


class HttpPeer(http.server.ThreadingHTTPServer):
    daemon_threads = True


def main():
    named = False
    with contextlib.suppress(OSError):  # a root without /proc
        with open("/proc/self/comm", "w", encoding="ascii") as comm:
            comm.write("slow-peer")
        named = True
    unix_path = sys.argv[1]
    servers = [TcpPeer(("127.0.0.1", 0), Obey), UnixPeer(unix_path, Obey), HttpPeer(("127.0.0.1", 0), SlowPage)]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    facts = {"tcp": servers[0].server_address[1], "unix": unix_path, "http": servers[2].server_address[1], "named": named}
    print(json.dumps(facts), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
