# SPDX-License-Identifier: Apache-2.0
"""The cases that were run again, for pytest's summary and CI's closing lines; see conftest.py and tests/closing_line.py."""

import os
import re

from _pytest.runner import runtestprotocol

from . import snoop, waiting

LINES = []
TITLE = "run again"
EMULATED = os.environ.get("LOOPSNOOP_EMULATED") == "1"


def run(item, nextitem):
    """What fails is run once more, and the closing lines of the run say so and why: they show what is not always
    right. What fails twice has failed. A measurement says nothing when it fails while the hypervisor took CPUs away from this machine,
    or hid switches to the very thread from tracing (then times are only as near as README says), and neither does one in an emulated
    machine, which shares a CPU with what it measures: such a case may fail twice."""
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for times in (1, 2, 3):
        stolen_ns, hidden = waiting.stolen_ns(), snoop.hidden_switches
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
        stolen_ns, hidden = waiting.stolen_ns() - stolen_ns, snoop.hidden_switches - hidden
        failed = next((report for report in reports if report.failed), None)
        if not failed or times >= (3 if stolen_ns or hidden or EMULATED else 2):
            break
        lines = str(failed.longrepr).splitlines() or [""]
        why = next((line for line in lines if line.startswith("E ")), lines[-1])
        LINES.append(f"{item.nodeid}: {stolen_ns // 1_000_000} ms of CPU were stolen, {hidden} switches hidden; {why[:300]}")
        item._initrequest()
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def print_cases(terminalreporter):
    if LINES:
        terminalreporter.section(TITLE)
        for line in LINES:
            terminalreporter.write_line(line)


def cases_in(output):
    """What another pytest says of it, that of an emulated machine."""
    section = re.search(rf"^=+ {TITLE} =+\r?$\n(.*?)^(?:=|\d+ )", output, re.MULTILINE | re.DOTALL)
    return [line.strip() for line in section.group(1).splitlines() if line.strip()] if section else []
