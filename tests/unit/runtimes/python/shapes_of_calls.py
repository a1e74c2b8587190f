# SPDX-License-Identifier: Apache-2.0
"""Threads that block below calls which the interpreter has made quicker by itself."""
from shape import shape, sleep


class Slow:
    def __init__(self, last):
        if last:
            sleep()


@shape
def specialized_init():
    for number in range(200):
        Slow(number == 199)  # the call becomes one with a frame of its own, since 3.12
