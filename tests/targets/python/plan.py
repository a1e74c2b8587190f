# SPDX-License-Identifier: Apache-2.0
"""How long each event blocks, in ms: the same numbers as in ../native/plan.h."""

IDLE_S = 0.03


def planned_ms(index):
    """Most are over the tests' threshold of 100 ms, every fifth is well below it."""
    if index % 5 == 3:
        return 20 + index * 13 % 41
    return 120 + index * 37 % 141
