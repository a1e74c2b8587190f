# SPDX-License-Identifier: Apache-2.0
"""The closing lines of a run: counts, what failed and why, what passed only when it was run again."""
import os
import pathlib
import subprocess

CLOSING_LINE = pathlib.Path(__file__).parents[1] / "closing_line.py"

CASE = """<testcase name="{name}" status="{status}"><system-out>{output}</system-out></testcase>"""
PYTEST_FAILED = """\
________________ test_line[sorting] ________________
tests/e2e/test_cpu.py:41: in hold
E   AssertionError: blocked 338 ms
================== run again ===================
tests/e2e/test_cpu.py::test_line[sorting]: E   AssertionError: blocked 426 ms
====== short test summary info =======
1 failed, 9 passed in 42.12s
"""
CATCH_FAILED = """\
../../tests/unit/base/x_test.cpp:12: FAILED:
  CHECK( a == b )
with expansion:
  1 == 2

test cases: 7 | 6 passed | 1 failed
"""
LOG = """\
 1/3 Test #1: unit/flaky: of two words ..................***Failed    0.04 sec
tests/unit/base/y_test.cpp:3: FAILED:
  REQUIRE( z )

    Start 1: unit/flaky: of two words
    Test #1: unit/flaky: of two words ..................   Passed    0.01 sec
 2/3 Test #2: unit/ok ..........................   Passed    0.02 sec
"""


def closing(folder, cases, log="", **environment):
    body = "".join(CASE.format(name=name, status=status, output=output.replace("<", "&lt;")) for name, status, output in cases)
    (folder / "unit.xml").write_text(f"<testsuite>{body}</testsuite>")
    (folder / "unit.log").write_text(log)
    variables = {key: value for key, value in os.environ.items() if key != "CI"} | environment
    ran = subprocess.run(["/usr/bin/python3", CLOSING_LINE, folder / "unit.xml"], capture_output=True, text=True, env=variables, check=False)
    assert not ran.stderr
    return ran.returncode, ran.stdout.splitlines()[1:]


def test_all_passed(tmp_path):
    assert closing(tmp_path, [("unit/ok", "run", ""), ("e2e/two", "run", "2 passed in 0.21s\n")]) == (0, ["3 passed, 0 failed"])


def test_what_failed_is_named_with_its_reason(tmp_path):
    status, lines = closing(tmp_path, [("e2e/cpu", "fail", PYTEST_FAILED), ("unit/x", "fail", CATCH_FAILED)])
    assert status == 1
    assert lines == [
        "run again: tests/e2e/test_cpu.py::test_line[sorting]: E   AssertionError: blocked 426 ms",
        "failed: e2e/cpu",
        "    test_line[sorting]: AssertionError: blocked 338 ms",
        "failed: unit/x",
        "    x_test.cpp:12: CHECK( a == b ) with expansion: 1 == 2",
        "15 passed, 2 failed",
    ]


def test_what_passed_when_it_was_run_again(tmp_path):
    status, lines = closing(tmp_path, [("unit/flaky: of two words", "run", ""), ("unit/ok", "run", "")], LOG)
    assert status == 0
    assert lines == ["run again: unit/flaky: of two words", "    y_test.cpp:3: REQUIRE( z )", "2 passed, 0 failed"]


def test_a_skip_fails_in_ci_only(tmp_path):
    skipped = [("unit/ok", "run", ""), ("e2e/x", "notrun", "")]
    assert closing(tmp_path, skipped) == (0, ["skipped: e2e/x", "1 passed, 0 failed, 1 skipped"])
    assert closing(tmp_path, skipped, CI="true")[0] == 1


def test_nothing_ran(tmp_path):
    assert closing(tmp_path, [])[0] == 1
