# SPDX-License-Identifier: Apache-2.0
"""A server whose loop is idle, or goes round, while customers wait, and these customers."""

import json
import socket
import subprocess

from . import places

REQUEST = b"GET %s HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: test\r\n\r\n"


class Standing:
    """A target of standing.py in one of its modes; `truth` is what it printed."""

    def __init__(self, folder, mode, arguments=(), command=("/usr/bin/python3",), script=places.PYTHON_TARGETS / "standing.py"):
        self.process = subprocess.Popen(
            [*command, script, mode, *arguments], stdout=subprocess.PIPE, stderr=open(folder / "target.stderr", "wb"), text=True
        )
        self.pid = self.process.pid
        self.connections = []

    def __enter__(self):
        line = self.process.stdout.readline()
        assert line, "the target did not start"
        self.truth = json.loads(line)
        return self

    def __exit__(self, *_about):
        for connection in self.connections:
            connection.close()
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def connect(self):
        self.connections.append(socket.create_connection(("127.0.0.1", self.truth["port"]), timeout=10))
        return self.connections[-1]

    def ask(self, path="/", times=1):
        for _ in range(times):
            self.connect().sendall(REQUEST % path.encode())

    def healthy(self):
        """Another customer is answered."""
        connection = self.connect()
        connection.sendall(REQUEST % b"/health")
        assert connection.recv(100).startswith(b"HTTP/1.1 200"), "the target does not answer at all"
        connection.close()
