# SPDX-License-Identifier: Apache-2.0
"""Threads that block in code which is made while they run."""
import os

from shape import shape, sleep


@shape
def executed():
    exec(compile("\n\ndef run():\n\n    f()\n\n\nrun()\n", "<made up>", "exec"), {"f": sleep})


@shape
def evaluated():
    eval("(1,\n f())", {"f": sleep})


@shape
def long_function():
    # Line tables with steps that do not fit one entry, jumps that do not fit one byte.
    body = "".join(f"    x{i % 7} = [{i}, y, {i}.5]" + "\n" * (i % 5 + 1) for i in range(3000))
    source = "def long(y):\n" + "\n" * 1000 + body + "    f()\n" + body
    namespace = {"f": sleep}
    exec(compile(source, "long.py", "exec"), namespace)
    namespace["long"](1)


@shape
def backwards():
    # A call whose parts are on lines before and after each other.
    source = "def back(y):\n    return (y,\n" + "\n" * 300 + "      y.a(1,\n" + "\n" * 300 + "   2)\n  )\n"
    namespace = {}
    exec(compile(source, "back.py", "exec"), namespace)

    class Y:
        def a(self, *_):
            sleep()
    namespace["back"](Y())


@shape
def names():
    source = "def caf\xe9(f): f()\ndef \u0444\u0443\u043d\u043a\u0446\u0438\u044f(f): caf\xe9(f)\ndef \U00020000(f): \u0444\u0443\u043d\u043a\u0446\u0438\u044f(f)\n"
    namespace = {}
    exec(compile(source, os.fsdecode(b"/tmp/\xff\xc3\xa9.py"), "exec"), namespace)
    namespace["\U00020000"](sleep)
