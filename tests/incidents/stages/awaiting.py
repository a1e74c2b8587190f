# SPDX-License-Identifier: Apache-2.0
"""Incident 8: two services that await each other."""
import contextlib

from . import scene

APPLICATION = scene.FOLDER / "awaiting"


@contextlib.contextmanager
def stage(folder, variant):
    with contextlib.ExitStack() as stack:
        ports = {"orders": scene.servers.free_port(), "stock": scene.servers.free_port()}
        pids = {}
        for role, port in ports.items():
            command = [scene.PYTHON, APPLICATION / f"{variant}.py", role, *ports.values()]
            running = scene.process(command, folder, role, lambda port=port: scene.get(port, "/health") == 200)
            pids[role] = stack.enter_context(running).pid
        crowd = stack.enter_context(scene.Crowd())

        def begin():
            for _ in range(3):
                crowd.repeat(lambda _number: scene.get(ports["orders"], "/order", timeout=8), 0.5)

        follow = ["-p", f"{pids['orders']},{pids['stock']}"]
        yield scene.Scene(follow, scene.causes(APPLICATION, variant), pids["orders"], ports["orders"], peers=pids, begin=begin)
