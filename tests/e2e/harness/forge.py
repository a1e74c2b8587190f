# SPDX-License-Identifier: Apache-2.0
"""Forges the recording that a faultless loopsnoop would have made of a truth, so that the judges themselves can be tested."""

import copy

from . import schema

LOSSES = schema.SCHEMA["$defs"]["lost"]["required"]
SAMPLE_EVENT = {
    "kind": "event",
    "start_ns": 1_000_000_000_000,
    "end_ns": 1_000_150_100_000,
    "cpu_ns": 40_000,
    "callback_start_ns": 999_999_990_000,
    "callback_end_ns": 1_000_150_120_000,
    "pid": 500,
    "tid": 500,
    "cause": "socket",
    "syscalls": ["recvfrom"],
    "pieces": 1,
    "resource": {"kind": "socket", "fd": 7, "remote": "127.0.0.1:5432", "peer": {"pid": 9, "comm": "slow-peer"}},
    "through": ["read", "recv_into"],
    "function": "Recv.block",
    "file": "/srv/app/waits.py",
    "line": 28,
}
WHOLE = {
    "socket": {"fd": 7, "protocol": "tcp", "local": None, "remote": None, "state": None, "peer": None, "path": None},
    "pipe": {"fd": None, "path": None, "peer": None},
    "file": {"fd": None, "path": None},
    "futex": {"address": "0x7f0000001000", "lock": "unknown", "holder": None},
    "timer": {"requested_ns": None},
    "process": {"pid": None, "comm": None},
    "fds": {"fds": []},
}


def resource(wanted):
    if wanted is None:
        return None
    made = {"kind": wanted.get("kind", "pipe"), **WHOLE[wanted.get("kind", "pipe")], **copy.deepcopy(wanted)}
    if made.get("holder"):
        made["holder"].setdefault("how", "inferred")
    if made["kind"] == "fds":
        made["fds"] = [resource(each) for each in wanted["fds"]]
    return made


def stack(event, python):
    place = {key: event[key] for key in ("function", "file", "line")}
    native = [{"function": "recv", "module": "/lib/libc.so.6", "offset": "0x10", "file": None, "line": None}]
    if not python:
        native.append({"module": "/srv/loop", "offset": "0x20", **place})
    native.append({"function": "_start", "module": "/srv/loop", "offset": "0x30", "file": None, "line": None})
    made = {"native": native, "kernel": [{"function": "schedule", "offset": "0x10"}]}
    if python:
        inner = [{"function": name, "file": "/usr/lib/python3/x.py", "line": 3} for name in reversed(event.get("through", ()))]
        outer = [{"function": name, "file": "/srv/app/loop_target.py", "line": 3} for name in ("follow_plan", "main", "<module>")]
        behind = [event["caller"]] if event.get("caller") else []
        made["python"] = [*inner, place, *behind, *outer]
    return made


def stall(number, event, python):
    cause = event["cause"].split("|")[0]
    off_cpu = event["end_ns"] - event["start_ns"] - event["cpu_ns"]
    start = event["callback_start_ns"] - 30_000
    duration = event["callback_end_ns"] + 50_000 - start
    return {
        "type": "stall",
        "id": number,
        "phase": "ended",
        "start_ns": start,
        "started_at": "2026-11-22T05:49:28.123456Z",
        "duration_ns": duration,
        "truncated": None,
        "pid": event["pid"],
        "tid": event["tid"],
        "comm": "python3",
        "thread": "python3",
        "cause": cause,
        "breakdown": {cause: {"ns": off_cpu, "count": 1}, "cpu": {"ns": duration - off_cpu, "count": 1}},
        "culprit": {key: event[key] for key in ("function", "file", "line")},
        "summary": "blocked",
        "waits": [
            {
                "cause": cause,
                "syscall": event["syscalls"][0],
                "start_ns": event["start_ns"] + 20_000,
                "duration_ns": off_cpu,
                "run_delay_ns": 0,
                "count": max(1, event["pieces"]),
                "ongoing": False,
                "resource": resource(event["resource"]),
                "stack": stack(event, python),
                "stack_from": "captured",
                "waker": None,
            }
        ],
        "throttled_ns": None,
        "cpu": [],
    }


def recording(events, loops=(), python=True, threshold_ns=100_000_000):
    """`loops`: loop records of the truth."""
    made = [
        {
            "type": "session",
            "schema": 1,
            "version": "0",
            "started_at": "2026-11-22T05:49:28.123456Z",
            "start_ns": 1,
            "host": "h",
            "kernel": "k",
            "threshold_ns": threshold_ns,
            "argv": ["loopsnoop"],
            "missing": [],
        }
    ]
    over = [event for event in events if event["end_ns"] - event["start_ns"] >= threshold_ns]
    made += [stall(number, event, python) for number, event in enumerate(over)]
    totals = []
    for loop in loops or [{"pid": 500, "tid": 500}]:
        own = [each for each in made if each["type"] == "stall" and each["tid"] == loop["tid"]]
        by_cause = {}
        for each in own:
            for cause, part in each["breakdown"].items():
                total = by_cause.setdefault(cause, {"ns": 0, "count": 0})
                total["ns"] += part["ns"]
                total["count"] += part["count"]
        stalled = sum(each["duration_ns"] for each in own)
        totals.append(
            {
                "pid": loop["pid"],
                "tid": loop["tid"],
                "iterations": 9,
                "busy_ns": stalled,
                "idle_ns": 9,
                "stalls": len(own),
                "stalled_ns": stalled,
                "longest_ns": max((each["duration_ns"] for each in own), default=0),
                "by_cause": by_cause,
            }
        )
    made.append({"type": "summary", "duration_ns": 10, "loops": totals, "lines": [], "lost": dict.fromkeys(LOSSES, 0)})
    return made
