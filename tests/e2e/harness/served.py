# SPDX-License-Identifier: Apache-2.0
"""A server of a public report, made again: starts it, asks it, and holds what loopsnoop says of it against what is true."""

import contextlib
import os
import signal
import socket
import subprocess

from . import servers, snoop, waiting


class Served:
    """Use as a context: at its end the server, and all that it started, is gone. PORT in its command is its port."""

    def __init__(self, folder, *command, environment=None):
        self.port = servers.free_port()
        self.folder = folder
        self.command = [str(word).replace("PORT", str(self.port)) for word in command]
        self.environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **(environment or {})}
        self.waiting = []  # the customers

    def __enter__(self):
        self.log = self.folder / "served.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(self.command, cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, start_new_session=True)
        try:
            waiting.until(lambda: self.process.poll() is not None or servers.accepts(self.port), "the server")
            assert self.process.poll() is None, self.log.read_text(errors="replace")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_about):
        for customer in self.waiting:
            customer.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    @property
    def pid(self):
        return self.process.pid

    def ask(self, path="/"):
        """A customer who asks and goes on waiting."""
        customer = socket.create_connection(("127.0.0.1", self.port), timeout=waiting.PATIENCE_S)
        customer.sendall(f"GET {path} HTTP/1.1\r\nHost: here\r\n\r\n".encode())
        self.waiting.append(customer)
        return customer

    def answers(self, path="/"):
        """A customer who is answered."""
        assert self.ask(path).recv(1000), "the server does not answer"
        self.waiting.pop().close()

    def hang_of(self, path, *arguments, asked=(), of=None):
        """Is attached, asks for what blocks it, then `asked` one by one; the stall as it is reported while it goes on (`of`: that which this is
        true of), and what people read."""
        with snoop.Snoop("-p", self.pid, "--hang-after", "500ms", *arguments, folder=self.folder) as snooping:
            snooping.session()
            for each in (path, *asked):
                self.ask(each)
            hang = snooping.wait_for(lambda record: is_hang(record) and (of is None or of(record)), "ongoing stall")
            snooping.stop()
        return hang, snooping.text()

    def hang_late(self, *arguments, of=None):
        """The same of who comes when it hangs already."""
        with snoop.Snoop("-p", self.pid, "--hang-after", "500ms", *arguments, folder=self.folder) as snooping:
            hang = snooping.wait_for(lambda record: is_hang(record) and (of is None or of(record)), "ongoing stall")
            snooping.stop()
        return hang, snooping.text()


def is_hang(record):
    return record["type"] == "stall" and record["phase"] == "ongoing"


def check(text, must=(), never=()):
    for words in must:
        assert words in text, f"{words!r} is missing in: {text}"
    for words in never:
        assert words not in text, f"{words!r} should not be in: {text}"
