# SPDX-License-Identifier: Apache-2.0
"""What the contract's records are made of; schema.py has the records."""

import datetime
import re

CAUSES = "gil futex file_io socket pipe poll sleep child page_fault runqueue stopped cpu other".split()
POLL_CALLS = (
    "epoll_wait epoll_pwait epoll_pwait2 poll ppoll select pselect6 io_uring_enter io_getevents io_pgetevents".split()
)
MS = 1_000_000
MAX_WAITS = 16


class Broken(AssertionError):
    pass


class Checker:
    """Knows where it is, so that a failure says so: "stall 3.waits[2].resource.fd"."""

    def __init__(self, place, value):
        self.place = place
        self.value = value

    def fail(self, why):
        raise Broken(f"{self.place}: {why}: {self.value!r}"[:2000])

    def at(self, key):
        if not isinstance(self.value, dict):
            self.fail("not an object")
        if key not in self.value:
            self.fail(f"no field {key!r}")
        return Checker(f"{self.place}.{key}", self.value[key])

    def has(self, key):
        return key in self.value

    def each(self):
        if not isinstance(self.value, list):
            self.fail("not a list")
        return [Checker(f"{self.place}[{index}]", value) for index, value in enumerate(self.value)]

    def integer(self, lowest=0):
        if type(self.value) is not int or self.value < lowest:
            self.fail(f"not an integer from {lowest}")
        return self.value

    def text(self, empty=False):
        if not isinstance(self.value, str) or (not empty and not self.value):
            self.fail("not a text")
        return self.value

    def boolean(self):
        if type(self.value) is not bool:
            self.fail("not true or false")
        return self.value

    def one_of(self, allowed):
        if self.value not in allowed:
            self.fail(f"not one of {allowed}")
        return self.value

    def matches(self, pattern):
        if not re.fullmatch(pattern, self.text()):
            self.fail(f"not like {pattern}")
        return self.value

    def or_null(self, check, *arguments):
        return None if self.value is None else getattr(self, check)(*arguments)


def check_timestamp(at):
    at.matches(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|\+00:00)")
    datetime.datetime.fromisoformat(at.value.replace("Z", "+00:00"))


def check_frames(at, native=False):
    for frame in at.each():
        if native:
            frame.at("function").or_null("text")
            frame.at("module").or_null("text", True)
            frame.at("offset").or_null("matches", r"0x[0-9a-f]+")
            frame.at("file").or_null("text")
            frame.at("line").or_null("integer", 1)
        else:
            frame.at("function").or_null("text")
            frame.at("file").or_null("text")
            frame.at("line").or_null("integer", 0)


def check_stack(at):
    if not at.value:
        at.fail("an empty stack is to be null")
    for part in ("python", "javascript"):
        if at.has(part):
            check_frames(at.at(part))
    if at.has("native"):
        check_frames(at.at("native"), native=True)
    if at.has("kernel"):
        for frame in at.at("kernel").each():
            frame.at("function").or_null("text")
            frame.at("offset").matches(r"0x[0-9a-f]+")
    for part in ("python", "javascript", "native", "kernel"):
        if at.has(part) and not at.value[part]:
            at.at(part).fail("an empty part is to be absent")


def check_peer(at):
    if at.value is not None:
        at.at("pid").integer(1)
        at.at("comm").text()


def check_holder(at):
    if at.value is not None:
        at.at("tid").integer(1)
        at.at("thread").text(True)
        at.at("how").one_of(["owner field", "inferred"])


def check_resource(at):
    kind = at.at("kind").one_of(["file", "socket", "pipe", "futex", "timer", "process", "fds"])
    if kind in ("file", "socket", "pipe"):
        at.at("fd").or_null("integer", -1)
    if kind == "file":
        at.at("path").or_null("text")
        if at.has("holder"):
            check_peer(at.at("holder"))
    if kind == "pipe":
        at.at("path").or_null("text")
        check_peer(at.at("peer"))
    if kind == "socket":
        protocol = at.at("protocol").text()
        if protocol == "unix":
            at.at("path").or_null("text")
        else:
            at.at("local").or_null("text")
            at.at("remote").or_null("text")
        at.at("state").or_null("matches", "[A-Z_0-9]+")
        check_peer(at.at("peer"))
    if kind == "futex":
        at.at("address").or_null("matches", r"0x[0-9a-f]+")
        at.at("lock").one_of(["gil", "pthread_mutex", "python_lock", "unknown"])
        check_holder(at.at("holder"))
        if at.has("type"):
            at.at("type").text()
    if kind == "timer":
        at.at("requested_ns").or_null("integer")
    if kind == "process":
        at.at("pid").or_null("integer", 1)
        at.at("comm").or_null("text")
    if kind == "fds":
        for each in at.at("fds").each():
            check_resource(each)


def check_waker(at):
    at.at("pid").integer()
    at.at("tid").integer()
    at.at("comm").text(True)
    at.at("thread").text(True)
    at.at("context").one_of(["thread", "interrupt"])
    check_optional(at.at("stack"), check_stack)


def check_optional(at, check):
    if at.value is not None:
        check(at)


def check_wait(at):
    at.at("cause").one_of([cause for cause in CAUSES if cause != "cpu"])
    at.at("syscall").or_null("matches", "[a-z0-9_]+")
    at.at("start_ns").integer(1)
    at.at("duration_ns").integer()
    at.at("count").integer(1)
    check_optional(at.at("resource"), check_resource)
    check_optional(at.at("stack"), check_stack)
    at.at("stack_from").one_of(["captured", "live", None])
    if (at.value["stack_from"] is None) != (at.value["stack"] is None):
        at.fail("stack and stack_from do not agree")
    check_optional(at.at("waker"), check_waker)


def check_breakdown(at, total=None):
    for cause in at.value:
        if cause not in CAUSES:
            at.fail(f"unknown cause {cause!r}")
        at.at(cause).at("ns").integer()
        at.at(cause).at("count").integer()
    if total is not None:
        added = sum(part["ns"] for part in at.value.values())
        if abs(added - total) > MS:
            at.fail(f"the parts add up to {added}, not to {total}")


def largest(breakdown):
    """The causes with most time; a difference of a microsecond decides nothing."""
    most = max((part["ns"] for part in breakdown.values()), default=0)
    return [cause for cause, part in breakdown.items() if part["ns"] >= most - 1000]


def check_culprit(at):
    at.at("function").text()
    at.at("file").or_null("text")
    at.at("line").or_null("integer", 0)


def check_thread(at):
    at.at("tid").integer(1)
    at.at("thread").text(True)
    at.at("state").one_of(["running", "runnable", "sleeping", "disk_sleep", "stopped"])
    at.at("waited_ns").or_null("integer")
    at.at("cause").or_null("one_of", CAUSES)
    at.at("syscall").or_null("matches", "[a-z0-9_]+")
    check_optional(at.at("resource"), check_resource)
    at.at("holds_gil").or_null("boolean")
    check_optional(at.at("stack"), check_stack)
    if at.has("moved"):
        at.at("moved").one_of([True])


def check_gil(at, breakdown):
    part = breakdown.get("gil", {"ns": 0, "count": 0})
    if (at.at("ns").integer(), at.at("count").integer()) != (part["ns"], part["count"]):
        at.fail("does not agree with the breakdown")
    for holder in at.at("holders").each():
        holder.at("tid").integer(1)
        holder.at("thread").text(True)
        holder.at("samples").integer(1)
        holder.at("ns").integer()
        holder.at("how").one_of(["inferred"])
        check_optional(holder.at("stack"), check_stack)
    samples = [holder["samples"] for holder in at.value["holders"]]
    if samples != sorted(samples, reverse=True):
        at.at("holders").fail("not most samples first")
