# SPDX-License-Identifier: Apache-2.0
"""What fails is run once more here, too."""

import pathlib
import sys

import pytest

sys.path.append(str(pathlib.Path(__file__).parent.parent / "e2e"))

from harness import again  # noqa: E402


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    return again.run(item, nextitem)


def pytest_terminal_summary(terminalreporter):
    again.print_cases(terminalreporter)
