# SPDX-License-Identifier: Apache-2.0
"""Greenlets that compute, each of which a hub has switched to. Prints "idle"; for each line that comes in "runs", and at another one
the greenlet's address, and "that". What is known of gevent's hub is its class's name and its module."""
import select
import sys
import time
import types

import greenlet


class Hub(greenlet.greenlet):
    def run(self):
        while True:
            sys.stdin.readline()
            next(JOBS).switch()


class Greenlet(greenlet.greenlet):
    def __init__(self, run, parent):
        super().__init__(run, parent)


def compute():
    print("runs", flush=True)
    while not select.select([sys.stdin], [], [], 0)[0]:
        sum(range(1000))
    sys.stdin.readline()


def end(which):
    print(id(which), "that", sep="\n", flush=True)
    hub.switch()


def plain():
    compute()
    end(greenlet.getcurrent())


def named():
    compute()
    end(greenlet.getcurrent())


def nested():
    """A part of it is a greenlet of its own, as SQLAlchemy has them."""
    own = greenlet.getcurrent()
    greenlet.greenlet(compute, own).switch()
    end(own)


def jobs():
    yield Greenlet(plain, hub)
    one = Greenlet(named, hub)
    one.name = "orders-7"
    yield one
    yield Greenlet(nested, hub)
    while True:
        time.sleep(1000)


sys.modules["gevent.hub"] = types.ModuleType("gevent.hub")
hub = Hub()
JOBS = jobs()
print("idle", flush=True)
hub.switch()
