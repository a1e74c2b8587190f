# SPDX-License-Identifier: Apache-2.0
"""A server whose loop is idle, or goes round, while customers wait, and these customers."""

import json
import socket
import subprocess

from . import places

REQUEST = b"GET %s HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: test\r\n\r\n"


class Server:
    """A process that serves a port of the loopback, and its customers' connections. A subclass waits in started() until it serves."""

    def __init__(self, command, **more):
        self.process = subprocess.Popen(command, **more)
        self.pid = self.process.pid
        self.connections = []

    def __enter__(self):
        try:
            self.started()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_about):
        for connection in self.connections:
            connection.close()
        self.process.kill()
        self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()

    def connect(self):
        self.connections.append(socket.create_connection(("127.0.0.1", self.port), timeout=10))
        return self.connections[-1]


class Standing(Server):
    """A target of standing.py in one of its modes; `truth` is what it printed."""

    def __init__(self, folder, mode, arguments=(), command=("/usr/bin/python3",), script=places.PYTHON_TARGETS / "standing.py"):
        with open(folder / "target.stderr", "wb") as errors:
            super().__init__([*command, script, mode, *arguments], stdout=subprocess.PIPE, stderr=errors, text=True)

    def started(self):
        line = self.process.stdout.readline()
        assert line, "the target did not start"
        self.truth = json.loads(line)
        self.port = self.truth.get("port")

    def ask(self, path="/", times=1):
        for _ in range(times):
            self.connect().sendall(REQUEST % path.encode())

    def healthy(self):
        """Another customer is answered."""
        connection = self.connect()
        connection.sendall(REQUEST % b"/health")
        assert connection.recv(100).startswith(b"HTTP/1.1 200"), "the target does not answer at all"
        connection.close()
