# SPDX-License-Identifier: Apache-2.0
"""Other kernels than this machine's: a part of these tests, run under them in an emulated machine (its times are not judged as
sharply, everything else is), and one too old."""

import concurrent.futures
import os
import shlex

import pytest

from harness import again, emulated, places

# What depends on the kernel: each hook and iterator, what is read of its structures, perf events.
TESTS = [
    "test_waits_c.py::test_wait[recv]",
    "test_waits_c.py::test_wait[mutex]",
    "test_waits_c.py::test_without_a_feature_of_the_kernel[tracefs]",
    "test_waits_python.py::test_wait[fifo_read]",
    "test_cpu.py::test_line_that_computes[tight_loop]",
    "test_frozen.py::test_python[time_sleep-asyncio]",
    "test_life.py::test_target_execs_into_another_program",
    "test_life.py::test_children_that_are_there_already",
    "test_discovery.py::test_name_and_cgroup_narrow",
]
TIMEOUT_S = 500


def in_this_place(command):
    """The environment of the tests, for a shell of the emulated machine."""
    variables = {name: os.environ[name] for name in ("LOOPSNOOP_BUILD", "LOOPSNOOP_BIN", "LOOPSNOOP_TARGETS") if name in os.environ}
    variables |= {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8", "LOOPSNOOP_EMULATED": "1"}
    return f"cd {shlex.quote(str(places.ROOT))}; export " + " ".join(f"{name}={shlex.quote(value)}" for name, value in variables.items()) + f"; {command}"


def with_these_tests(suite):
    command = ["/usr/bin/python3", "-B", "-m", "pytest", "-p", "no:cacheprovider", "-q", "--color=no", "--tb=short", "--durations=0", *(f"tests/e2e/{test}" for test in TESTS)]
    return emulated.run(suite, in_this_place("uname -r; cat /proc/sys/kernel/perf_event_paranoid; " + shlex.join(command)), TIMEOUT_S)


def with_a_try(suite):
    loopsnoop = shlex.quote(str(places.LOOPSNOOP))
    return emulated.run(suite, in_this_place(f"{loopsnoop} -p $$; echo status $?; {loopsnoop} doctor"), TIMEOUT_S)


# Ubuntu's, the oldest one that loopsnoop works on, comes from an archive that not every machine of these tests reaches: when it has been fetched.
SUITES = ["bookworm", "trixie", "sid", *(["jammy"] if emulated.is_there("jammy") else [])]
MACHINES = {"bullseye": with_a_try} | dict.fromkeys(SUITES, with_these_tests)


@pytest.fixture(scope="session")
def machine(request):
    """What came of a suite's: status and console. All that this run wants are started now, as many at a time as there are CPUs, for
    each takes one."""
    wanted = [item.callspec.params["suite"] for item in request.session.items if "machine" in item.fixturenames]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        ahead = {suite: pool.submit(MACHINES[suite], suite) for suite in wanted}
        # A test that is run again has taken it.
        yield lambda suite: (ahead.pop(suite, None) or pool.submit(MACHINES[suite], suite)).result()


@pytest.mark.parametrize("suite", SUITES)
def test_another_kernel(suite, machine):
    status, said = machine(suite)
    print(said)
    again.LINES.extend(f"{suite}: {line}" for line in again.cases_in(said))
    # What failed comes first: of a test that is run again, only the beginning is shown.
    failed = "; ".join(line for line in said.splitlines() if line.startswith(("FAILED", "ERROR", "E ")))
    assert status == 0 and f"{len(TESTS)} passed" in said, failed or said


@pytest.mark.parametrize("suite", ["bullseye"])
def test_kernel_that_is_too_old(suite, machine):
    """One line says so, and what to do."""
    status, said = machine(suite)
    own, _, doctor = said.partition("status 1\n")
    assert len(own.splitlines()) == 1 and "cannot follow anything on Linux 5.10" in own and "use Linux 5.15 or newer" in own, said
    assert status == 1 and "older than 5.15" in doctor, said
