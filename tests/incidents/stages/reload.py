# SPDX-License-Identifier: Apache-2.0
"""Incident 5, second half: a development server that restarts its worker again and again."""
import contextlib
import shutil

from . import scene

APPLICATION = scene.FOLDER / "reload"


@contextlib.contextmanager
def stage(folder, variant, **_settings):
    """The application writes beside itself: it runs from a copy."""
    watched, state = folder / "shop", folder / "state"
    watched.mkdir()
    state.mkdir()
    shutil.copy(APPLICATION / f"{variant}.py", watched / "shop.py")
    (watched / "build_info.py").write_text("BUILT_AT = 0\n")  # left by an earlier run
    port = scene.servers.free_port()
    command = [scene.PYTHON, "-m", "uvicorn", "--reload", "shop:app", "--host", "127.0.0.1", "--port", port, "--no-access-log"]
    yield scene.Scene(
        ["--children", "--", *(str(word) for word in command)],
        scene.causes(watched, variant),
        0,
        port,
        environment=scene.environment(STATE_FOLDER=state),
        folder=watched,
    )
