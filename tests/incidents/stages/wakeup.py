# SPDX-License-Identifier: Apache-2.0
"""Incident 7: a thread puts its result into the loop, and does not wake it."""
import contextlib
import socket

from . import scene

APPLICATION = scene.FOLDER / "wakeup"
REQUEST = b"GET /picture HTTP/1.1\r\nHost: pictures.example\r\n\r\n"


@contextlib.contextmanager
def stage(folder, variant):
    with contextlib.ExitStack() as stack:
        port = scene.servers.free_port()
        running = stack.enter_context(
            scene.process([scene.PYTHON, APPLICATION / f"{variant}.py", port], folder, "pictures", lambda: scene.servers.accepts(port))
        )

        def begin():
            customer = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            customer.sendall(REQUEST)

        yield scene.Scene(["-p", running.pid], scene.causes(APPLICATION, variant), running.pid, port, begin=begin)
