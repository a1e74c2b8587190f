# SPDX-License-Identifier: Apache-2.0
"""The cases that were run again, for pytest's summary and CI's closing lines; see conftest.py and tests/closing_line.py."""

import re

LINES = []
TITLE = "run again"


def told_by(output):
    """What another pytest says of it, that of an emulated machine."""
    section = re.search(rf"^=+ {TITLE} =+\r?$\n(.*?)^(?:=|\d+ )", output, re.MULTILINE | re.DOTALL)
    return [line.strip() for line in section.group(1).splitlines() if line.strip()] if section else []
