# SPDX-License-Identifier: Apache-2.0
"""Incident 4: never gets up. `shape`: a configuration service that does not answer, or two services that wait for each other."""
import contextlib
import socket

from . import scene

APPLICATION = scene.FOLDER / "startup"
SHAPES = ("connect", "each_other")


@contextlib.contextmanager
def unanswered_port():
    """A listening port whose queue is full: SYNs to it are dropped, as by a firewall or a host that is gone. Linux takes one
    connection more than the backlog says."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(2):
            early = stack.enter_context(socket.socket())
            early.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                early.connect(server.getsockname())
        yield server.getsockname()[1]


@contextlib.contextmanager
def stage(folder, variant, shape="connect", start=True):
    """`start=False`: the service is for loopsnoop to start."""
    port = scene.servers.free_port()
    causes = scene.causes(APPLICATION, variant)
    with contextlib.ExitStack() as stack:
        if shape == "connect":
            config = stack.enter_context(unanswered_port())
            command = [scene.PYTHON, APPLICATION / f"{variant}.py"]
            settings = {"PORT": port, "CONFIG_PORT": config}
            peers, pass_fds = {"config": config}, ()
        else:
            own, others = (stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2))
            port, other = own.getsockname()[1], others.getsockname()[1]
            script = APPLICATION / "each_other.py"
            command, settings, pass_fds = [scene.PYTHON, script, own.fileno(), other, variant], {}, (own.fileno(),)
            partner = stack.enter_context(
                scene.process(
                    [scene.PYTHON, script, others.fileno(), port, variant], folder, "partner", pass_fds=(others.fileno(),)
                )
            )
            others.close()  # or this process would be taken for the one at the other end
            peers = {"partner": partner.pid, "partner_port": other}
        if not start:
            command = [str(word) for word in command]
            yield scene.Scene(["--", *command], causes, 0, port, peers, environment=scene.environment(**settings))
            return
        running = stack.enter_context(scene.process(command, folder, "service", pass_fds=pass_fds, **settings))
        if pass_fds:
            own.close()
        yield scene.Scene(["-p", running.pid], causes, running.pid, port, peers)
