# SPDX-License-Identifier: Apache-2.0
"""A module whose import does not end."""
import time

time.sleep(100_000)
