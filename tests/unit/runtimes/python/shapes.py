# SPDX-License-Identifier: Apache-2.0
"""Blocks one thread in each of many shapes of code, prints what CPython itself says of every thread's frames, and stays so.

Runs on CPython 3.9 and later. Output, once all threads stand still: for each thread a line "thread TID NAME", then for each of
its frames, innermost first, "frame LINE\tFUNCTION\tFILE" (LINE "-" when there is none; text as UTF-8), then "ready".
Lines marked "# at: NAME" are where the thread NAME is known to stand: the test finds them in this file.
"""
import contextlib
import functools
import os
import sys
import threading
import time

import shapes_of_calls  # noqa: F401, its shapes are in the list now
import shapes_of_coroutines  # noqa: F401
import shapes_of_generators  # noqa: F401
import shapes_of_made_code  # noqa: F401
from shape import LONG, shape, shapes, sleep


@shape
def plain():
    time.sleep(LONG)  # at: plain


@shape
def nested():
    def outer():
        def inner():
            sleep()
        inner()  # a line after the definition
    outer()


@shape
def multi_line_call():
    time.sleep(  # at: multi_line_call
        LONG
        +
        1
    )


@shape
def multi_line_arguments():
    def first(*arguments, **named):
        return arguments, named

    first(
        1,
        first(2),
        value=first(
            3,
            sleep(),
        ),
    )


class Chain:
    def step(self):
        return self

    def stop(self, *_):
        sleep()
        return self

    @property
    def slow(self):
        return sleep()

    @staticmethod
    def static():
        sleep()

    @classmethod
    def of_class(cls):
        cls.static()

    def __getattr__(self, name):
        sleep()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        sleep()

    def __lt__(self, other):
        sleep()
        return True


@shape
def method_chain():
    (
        Chain()
        .step()
        .step()
        .stop(
            1)
        .step()
    )


@shape
def get_property():
    return [
        Chain(),
        Chain().slow,
    ]


@shape
def get_attribute():
    Chain().nothing


@shape
def class_method():
    Chain.of_class()


@shape
def with_exit():
    with Chain():
        x = 1
    return x


@shape
def with_body():
    with open(os.devnull) as file, \
            contextlib.suppress(KeyError):
        file.read()
        sleep()


@contextlib.contextmanager
def manager():
    try:
        yield 1
    finally:
        sleep()


@shape
def with_generator():
    with manager():
        pass


def decorator(value):
    def wrap(function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            return function(*args,
                            **kwargs)
        return wrapper
    return wrap


@shape
@decorator(
    1)
@decorator(2)
def decorated():
    sleep()


@shape
def decorating():
    @decorator(sleep())
    def never():
        pass


@shape
def warm_calls():
    def leaf(i):
        if i == 2999:
            sleep()
        return i

    def middle(i):
        return leaf(
            i)

    for i in range(3000):
        middle(i)


@shape
def warm_methods():
    class Warm:
        def leaf(self, i):
            return i if i < 2999 else sleep()

        def __call__(self, i):
            return self.leaf(i)

    warm = Warm()
    for i in range(3000):
        warm(i)


@shape
def lambdas():
    (lambda f:
        f())(
        lambda: sleep())


@shape
def through_c():
    functools.reduce(
        lambda a, b: list(map(lambda _: sleep(), [1])),
        [1, 2],
    )


@shape
def sort_key():
    sorted([3, 2], key=lambda _:
           sleep())


@shape
def compare():
    Chain() < Chain()


@shape
def exception_handler():
    try:
        raise KeyError
    except KeyError:
        sleep()
    finally:
        pass


@shape
def finally_block():
    try:
        return 1
    finally:
        sleep()


@shape
def deallocating():
    class Slow:
        def __del__(self):
            sleep()

    slow = [Slow()]
    slow.clear()


@shape
def class_body():
    class Body:
        x = 1
        sleep()


@shape
def default_argument():
    def never(
            a=1,
            b=sleep()):
        pass


@shape
def loop_header():
    x = 0
    while x < 1 or sleep():
        x += 1


@shape
def conditions():
    return (1 and
            0 or
            sleep())


@shape
def f_string():
    return f"""{1}
    {sleep()}
    """


@shape
def recursion():
    def again(n):
        if n == 0:
            sleep()
        return again(n - 1)
    again(20)


@shape
def traced():
    def trace(frame, event, arg):
        return trace
    sys.settrace(trace)
    Chain().stop(
        1)


@shape
def profiled():
    sys.setprofile(lambda *_: None)
    Chain().stop(
        1)


@shape
def lock():
    held = threading.Lock()
    with held:
        held.acquire()  # at: lock


@shape
def event():
    threading.Event().wait()


@shape
def closure_cells():
    a, b = 1, 2

    def inner(x=a):
        def deeper():
            return a + b + x + (sleep() or 0)
        return deeper()
    inner()


@shape
def importing():
    import blocks_at_import
    return blocks_at_import


if sys.version_info >= (3, 10):
    exec("""\
@shape
def match_statement():
    match [1, 2]:
        case [1, x] if sleep():
            pass
""")


def name_of(code):
    return getattr(code, "co_qualname", code.co_name)


def snapshot(threads):
    frames = sys._current_frames()
    lines = []
    for thread in threads:
        lines.append(f"thread {thread.native_id} {thread.name}")
        frame = frames.get(thread.ident)
        while frame is not None:
            line = "-" if frame.f_lineno is None else frame.f_lineno
            lines.append(f"frame {line}\t{name_of(frame.f_code)}\t{frame.f_code.co_filename}")
            frame = frame.f_back
    return lines


def report(threads):
    last, same = None, 0
    while same < 5:
        time.sleep(0.1)
        now = snapshot(threads)
        same = same + 1 if now == last else 0
        last = now
    sys.stdout.buffer.write(("\n".join(last) + "\nready\n").encode("utf-8", "surrogateescape"))
    sys.stdout.buffer.flush()
    time.sleep(LONG)


def main():
    threads = [threading.Thread(target=function, name=function.__name__, daemon=True) for function in shapes]
    for thread in threads:
        thread.start()
    threading.Thread(target=report, args=([threading.main_thread(), *threads],), daemon=True).start()
    with contextlib.suppress(KeyboardInterrupt):
        time.sleep(LONG)  # at: MainThread


main()
