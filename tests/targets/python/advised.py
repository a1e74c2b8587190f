# SPDX-License-Identifier: Apache-2.0
"""`advised.py FOLDER NAME…`: an asyncio program that blocks in each of those ways once, 200 ms or more. Says "ready", waits for a line,
and says "did NAME START_NS END_NS" after each, then "done". `plain` before the names: the same without an event loop."""

import asyncio
import concurrent.futures
import http.client
import http.server
import json
import logging
import os
import queue
import selectors
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request

SECONDS = 0.25
folder = sys.argv[1]


class Slow(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        time.sleep(SECONDS)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_about):
        pass


def slow_server():
    server = http.server.HTTPServer(("127.0.0.1", 0), Slow)
    if os.fork() == 0:
        parent = os.getppid()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        while os.getppid() == parent:
            time.sleep(0.1)
        os._exit(0)
    server.socket.close()
    return server.server_address[1]


port = slow_server()


def sleep():
    time.sleep(SECONDS)


def run():
    subprocess.run(["sleep", str(SECONDS)], check=True)


def system():
    os.system(f"sleep {SECONDS}")


def request():
    urllib.request.urlopen(f"http://127.0.0.1:{port}/").close()


def raw_http():
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", "/")
    connection.getresponse().read()


def raw_socket():
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        connection.recv(1)


def look_up():
    try:
        socket.getaddrinfo("nobody.example", 80)
    except OSError:
        pass


def sqlite():
    path = os.path.join(folder, "database")
    other = sqlite3.connect(path)
    other.execute("BEGIN EXCLUSIVE")
    try:
        sqlite3.connect(path, timeout=SECONDS).execute("CREATE TABLE t (x)")
    except sqlite3.OperationalError:
        other.rollback()


def future():
    with concurrent.futures.ThreadPoolExecutor() as pool:
        pool.submit(time.sleep, SECONDS).result()


def join():
    thread = threading.Thread(target=time.sleep, args=(SECONDS,), name="joined")
    thread.start()
    thread.join()


def get():
    try:
        queue.Queue().get(timeout=SECONDS)
    except queue.Empty:
        pass


def log():
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    try:
        while True:
            os.write(write_end, bytes(4096))
    except BlockingIOError:
        os.set_blocking(write_end, True)
    logger = logging.getLogger("advised")
    logger.addHandler(logging.StreamHandler(os.fdopen(write_end, "w")))
    threading.Timer(SECONDS, os.read, (read_end, 1 << 20)).start()
    logger.warning("full")


def read():
    """A lock on a file: on this machine files themselves are too quick."""
    import fcntl

    path = os.path.join(folder, "locked")
    with open(path, "w", encoding="utf-8") as file:
        holder = subprocess.Popen(["flock", path, "sh", "-c", f"echo; exec sleep {SECONDS}"], stdout=subprocess.PIPE)
        holder.stdout.read(1)
        fcntl.flock(file, fcntl.LOCK_EX)
    holder.wait()


def compute():
    data = [{"key": number, "values": list(range(10))} for number in range(10000)]
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        json.dumps(data)


def do(name):
    begin = time.monotonic_ns()
    globals()[name]()
    print("did", name, begin, time.monotonic_ns(), flush=True)


async def loop(names):
    for name in names:
        await asyncio.sleep(0.1)
        do(name)
    await asyncio.sleep(0.1)


def main():
    names = sys.argv[2:]
    print("ready", flush=True)
    sys.stdin.readline()
    if names[0] == "plain":
        waits_for_work = selectors.PollSelector()
        waits_for_work.register(socket.create_server(("127.0.0.1", 0)), selectors.EVENT_READ)
        for name in names[1:]:
            for _ in range(4):
                waits_for_work.select(0.05)
            do(name)
        waits_for_work.select(0.05)
    else:
        asyncio.run(loop(names))
    print("done", flush=True)
    sys.stdin.readline()


main()
