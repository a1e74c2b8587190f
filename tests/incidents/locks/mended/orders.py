# SPDX-License-Identifier: Apache-2.0
"""Orders need billing."""
import time

from tax import CURRENCY  # noqa: F401

time.sleep(0.3)  # as modules do that read files and compile expressions

import billing  # noqa: E402  # <- cause: orders


def place(amount):
    return billing.bill(amount)
