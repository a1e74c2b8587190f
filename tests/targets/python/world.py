# SPDX-License-Identifier: Apache-2.0
"""What the ways to block need around them: a scratch folder, and the process at the other end."""

import json
import os
import socket
import subprocess
import sys


class World:
    def __init__(self, scratch, options):
        self.scratch = scratch
        self.options = options
        self._peer = None
        self._ports = None

    def path(self, name):
        return os.path.join(self.scratch, name)

    def _start_peer(self):
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "slow_peer.py")
        self._peer = subprocess.Popen(
            [sys.executable, script, self.path("peer.sock")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._ports = json.loads(self._peer.stdout.readline())

    @property
    def ports(self):
        if self._ports is None:
            self._start_peer()
        return self._ports

    @property
    def peer(self):
        """As loopsnoop is to name it."""
        peer = {"pid": self._peer.pid}
        if self.ports["named"]:
            peer["comm"] = "slow-peer"
        return peer

    def connect(self):
        """A connection to the other end, without time-out."""
        return socket.create_connection(("127.0.0.1", self.ports["tcp"]))

    def connect_unix(self):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(self.ports["unix"])
        return connection

    def start_delay(self, action, milliseconds, **more):
        """Has the peer do `action` after (or for) that long; returns the connection to hear of it on."""
        connection = self.connect()
        order(connection, action, milliseconds, **more)
        return connection

    def close(self):
        if self._peer is not None:
            self._peer.stdin.close()
            self._peer.wait()


def order(connection, action, milliseconds, **more):
    connection.sendall((json.dumps({"do": action, "ms": milliseconds, **more}) + "\n").encode())
