# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the end-to-end tests. LOOPSNOOP_ALLOW_SKIP=1 lets a skipped test be skipped; else it fails: nobody would notice it."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from harness import again, places, servers, waiting  # noqa: E402

ALLOW_SKIP = os.environ.get("LOOPSNOOP_ALLOW_SKIP") == "1"


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    return again.run(item, nextitem)


def pytest_terminal_summary(terminalreporter):
    again.print_cases(terminalreporter)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.skipped and not ALLOW_SKIP and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which counts as failed without LOOPSNOOP_ALLOW_SKIP=1: {call.excinfo.value}"
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed


FAILED = pytest.StashKey()


@pytest.fixture(autouse=True)
def is_root():
    if os.geteuid() != 0:
        pytest.skip("loads BPF programs: needs root")


@pytest.fixture
def folder(request):
    """A folder that other users can open, too; kept when the test failed and LOOPSNOOP_KEEP=1."""
    made = pathlib.Path(tempfile.mkdtemp(prefix="loopsnoop-e2e-"))
    made.chmod(0o755)
    yield made
    if os.environ.get("LOOPSNOOP_KEEP") == "1" and request.node.stash.get(FAILED, False):
        print(f"kept: {made}")
        return
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="module")
def server_folder():
    made = pathlib.Path(tempfile.mkdtemp(prefix="loopsnoop-servers-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="module")
def postgres(server_folder):
    with servers.postgres(server_folder / "postgres") as connection:
        yield connection


@pytest.fixture(scope="module")
def redis_port(server_folder):
    with servers.redis(server_folder / "redis") as port:
        yield port


@pytest.fixture
def spinners():
    """Two processes a CPU that do nothing but compute."""
    command = [places.native("spinner")]
    running = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(2 * (os.cpu_count() or 1))]
    yield running
    for each in running:
        each.kill()
        each.wait()
