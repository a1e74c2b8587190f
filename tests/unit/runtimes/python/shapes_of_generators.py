# SPDX-License-Identifier: Apache-2.0
"""Threads that block in comprehensions and generators."""
from shape import shape, sleep


@shape
def list_comprehension():
    return [
        sleep()
        for _ in range(3)
    ]


@shape
def dict_comprehension():
    return {i: sleep() for i in
            range(3)}


@shape
def generator_expression():
    return sum(
        sleep() or 1
        for _ in range(3))


def count(n):
    for i in range(n):
        if i == n - 1:
            sleep()
        yield i


def delegate(n):
    yield -1
    yield from count(n)


@shape
def generators():
    for _ in delegate(5):
        pass


@shape
def warm_generator():
    total = 0
    for value in count(3000):
        total += value
