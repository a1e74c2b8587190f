# SPDX-License-Identifier: Apache-2.0
"""Every way to block of a Python target, real clients of real servers among them; and interpreters of other versions."""

import pytest

from harness import follow, places, pythons, target

WAITS = """
time_sleep select_on_nothing import_that_sleeps lock_held_by_thread condition_timeout queue_timeout log_handler flock fcntl_lock
fifo_open fifo_read full_pipe fsync sqlite_busy subprocess_run subprocess_output waitpid recv recv_timeout select_on_socket poll_on_two
recv_unix recv_socketpair connect_timeout connect_blocking http_client
""".split()
SERVER_WAITS = "postgres_query postgres_commit redis_blpop redis_debug_sleep redis_timeout".split()


@pytest.mark.parametrize("wait", WAITS)
def test_wait(wait, folder):
    # CPython's select() has 50 KiB of local variables on the stack.
    more = ["--stack-bytes", "65536"] if wait.startswith("select") else []
    follow.follow(target.python_loop(folder, wait=wait), folder, *more, python=True)


@pytest.mark.parametrize("wait", SERVER_WAITS)
def test_client_of_a_server(wait, folder, request):
    options = {}
    if wait.startswith("postgres"):
        options["postgres"] = request.getfixturevalue("postgres")
    else:
        options["redis"] = request.getfixturevalue("redis_port")
    follow.follow(target.python_loop(folder, wait=wait, options=options, count=11), folder, python=True)


@pytest.mark.parametrize("wait", ["postgres_query", "redis_debug_sleep"])
def test_client_under_uvloop(wait, folder, postgres, redis_port):
    options = {"postgres": postgres, "redis": redis_port}
    follow.follow(target.python_loop(folder, wait=wait, loop="uvloop", options=options, count=7), folder, python=True)


@pytest.mark.parametrize("wait", ["time_sleep", "import_that_sleeps", "queue_timeout", "recv_timeout", "fifo_read"])
@pytest.mark.parametrize("suite", ["bullseye", "trixie", "sid"])
def test_python_of_another_suite(suite, wait, folder):
    """In a root directory of its own: paths are as the target sees them."""
    python = pythons.python_of(suite)
    running = target.python_loop(folder, wait=wait, count=7, python=python)
    recording = follow.follow(running, folder, python=True)
    follow.check_loops(running, recording, None)
    runtime = recording.of("loop")[0]["runtime"]
    assert runtime == {"name": "cpython", "version": pythons.full_version(python.command)}
    assert runtime["version"].startswith(python.version)


def test_system_python_version(folder):
    running = target.python_loop(folder, count=5)
    recording = follow.follow(running, folder, python=True)
    assert recording.of("loop")[0]["runtime"]["version"] == pythons.full_version([places.SYSTEM_PYTHON])
