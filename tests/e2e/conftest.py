# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the end-to-end tests. LOOPSNOOP_ALLOW_SKIP=1 lets a skipped test be skipped; else it fails: nobody would look at it."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import pytest
from _pytest.runner import runtestprotocol

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from harness import again, places, servers, snoop, waiting  # noqa: E402

ALLOW_SKIP = os.environ.get("LOOPSNOOP_ALLOW_SKIP") == "1"
EMULATED = os.environ.get("LOOPSNOOP_EMULATED") == "1"


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    """A measurement during which the hypervisor took CPUs away from this machine, or hid switches to the very thread from tracing
    (then times are only as near as README says), says nothing when it fails, and neither does one in an emulated machine, which shares
    a CPU with what it measures: it is taken once more, or twice, and the summary tells of it. What fails on a machine that was left
    alone, or each time, has failed."""
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for more in (True, True, False):
        stolen_ns, hidden = waiting.stolen_ns(), snoop.hidden_switches
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
        stolen_ns, hidden = waiting.stolen_ns() - stolen_ns, snoop.hidden_switches - hidden
        failed = next((report for report in reports if report.failed), None)
        if not more or not failed or not (stolen_ns or hidden or EMULATED):
            break
        lines = str(failed.longrepr).splitlines() or [""]
        why = next((line for line in lines if line.startswith("E ")), lines[-1])
        again.LINES.append(f"{item.nodeid}: {stolen_ns // 1_000_000} ms of CPU were stolen, {hidden} switches hidden; {why[:300]}")
        item._initrequest()
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def pytest_terminal_summary(terminalreporter):
    if again.LINES:
        terminalreporter.section(again.TITLE)
        for line in again.LINES:
            terminalreporter.write_line(line)


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
    """A folder that other users can look into, too; kept when the test failed and LOOPSNOOP_KEEP=1."""
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
