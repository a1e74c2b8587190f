# SPDX-License-Identifier: Apache-2.0
import http.client
import select
import socket
import threading
import time

from wait import Wait
from world import order


def ends_of(connection):
    local, remote = connection.getsockname(), connection.getpeername()
    return {"local": "%s:%d" % local, "remote": "%s:%d" % remote}


class Recv(Wait):
    cause = "socket"
    syscalls = ("recvfrom",)

    def set_up(self):
        self.socket = self.world.connect()

    def prepare(self):
        order(self.socket, "answer", self.ms)

    def block(self):
        self.socket.recv(1)  # <- blocks

    def resource(self):
        facts = {
            "kind": "socket",
            "fd": self.socket.fileno(),
            "protocol": "tcp",
            "state": "ESTABLISHED",
            "peer": self.world.peer,
        }
        facts.update(ends_of(self.socket))
        return facts


class RecvTimeout(Recv):
    """With a time-out Python polls the one socket first: a wait, and not the loop's own poll call."""

    syscalls = ("poll",)

    def set_up(self):
        super().set_up()
        self.socket.settimeout(5000)

    def block(self):
        self.socket.recv(1)  # <- blocks


class SelectOnSocket(Recv):
    syscalls = ("select", "pselect6")

    def block(self):
        select.select([self.socket], [], [], 5000)  # <- blocks
        self.socket.recv(1)


class PollOnTwo(Recv):
    cause = "poll"
    syscalls = ("poll",)

    def set_up(self):
        super().set_up()
        self.other = self.world.connect()
        self.poll = select.poll()
        self.poll.register(self.socket, select.POLLIN)
        self.poll.register(self.other, select.POLLIN)

    def block(self):
        self.poll.poll(5000000)  # <- blocks
        self.socket.recv(1)

    def resource(self):
        return {"kind": "fds", "fds": [dict(ends_of(each), kind="socket", fd=each.fileno()) for each in (self.socket, self.other)]}


class RecvUnix(Recv):
    def set_up(self):
        self.socket = self.world.connect_unix()

    def block(self):
        self.socket.recv(1)  # <- blocks

    def resource(self):
        return {"kind": "socket", "fd": self.socket.fileno(), "protocol": "unix", "peer": self.world.peer}


class RecvSocketpair(Recv):
    def set_up(self):
        self.socket, self.other = socket.socketpair()

    def answer(self):
        time.sleep(self.seconds)
        self.other.send(b"x")

    def prepare(self):
        threading.Thread(target=self.answer).start()

    def block(self):
        self.socket.recv(1)  # <- blocks

    def resource(self):
        return {"kind": "socket", "fd": self.socket.fileno(), "protocol": "unix"}


class FullBacklog(Wait):
    """A listener whose queue is full drops every SYN: the connection never comes about."""

    cause = "socket"
    state = "SYN_SENT"

    def set_up(self):
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(0)
        self.address = self.listener.getsockname()
        self.fillers = []
        for _ in range(3):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(self.address)
            self.fillers.append(filler)
        time.sleep(0.02)

    def resource(self):
        return {"kind": "socket", "protocol": "tcp", "remote": "%s:%d" % self.address, "state": self.state}


class ConnectTimeout(FullBacklog):
    syscalls = ("poll",)
    through = ("create_connection",)

    def block(self):
        try:
            socket.create_connection(self.address, self.seconds)  # <- blocks
        except socket.timeout:
            pass


class ConnectBlocking(FullBacklog):
    syscalls = ("connect",)

    def prepare(self):
        self.socket = socket.socket()
        timeout = int(self.ms // 1000).to_bytes(8, "little") + int(self.ms % 1000 * 1000).to_bytes(8, "little")
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeout)

    def block(self):
        self.socket.connect_ex(self.address)  # <- blocks

    def clean_up(self):
        self.socket.close()


class HttpClient(Wait):
    cause = "socket"
    syscalls = ("recvfrom",)
    through = ("getresponse", "begin")

    def set_up(self):
        self.connection = http.client.HTTPConnection("127.0.0.1", self.world.ports["http"])
        self.connection.connect()

    def prepare(self):
        self.connection.request("GET", "/sleep/%d" % self.ms)

    def block(self):
        self.response = self.connection.getresponse()  # <- blocks

    def clean_up(self):
        self.response.read()

    def resource(self):
        facts = {"kind": "socket", "protocol": "tcp", "state": "ESTABLISHED", "peer": self.world.peer}
        facts.update(ends_of(self.connection.sock))
        return facts


WAITS = {
    "recv": Recv,
    "recv_timeout": RecvTimeout,
    "select_on_socket": SelectOnSocket,
    "poll_on_two": PollOnTwo,
    "recv_unix": RecvUnix,
    "recv_socketpair": RecvSocketpair,
    "connect_timeout": ConnectTimeout,
    "connect_blocking": ConnectBlocking,
    "http_client": HttpClient,
}
