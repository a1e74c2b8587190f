# SPDX-License-Identifier: Apache-2.0
"""The list of shapes, which each module of them adds to."""
import time

LONG = 100_000
shapes = []


def shape(function):
    shapes.append(function)
    return function


def sleep():
    time.sleep(LONG)
