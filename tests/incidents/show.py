# SPDX-License-Identifier: Apache-2.0
"""Shows an incident to a person: what the team saw, and what loopsnoop says. Called by scripts/demo [N].

Usage: show.py NUMBER|tour LOOPSNOOP
"""
import contextlib
import dataclasses
import importlib
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from stages import scene


@dataclasses.dataclass
class Act:
    """One run of loopsnoop. `seen`: what the team saw; a health check is made when `ask` is true."""

    stage: str
    seen: str
    seconds: int
    options: tuple = ()
    settings: dict = dataclasses.field(default_factory=dict)
    ask: bool = True
    causes: tuple = ()


INCIDENTS = {
    1: [
        Act(
            "middleware",
            "A gateway logged \"startup complete\". Since customers order, every endpoint times out, /health, too, though it\n"
            "needs neither database nor cache.",
            8,
            causes=("commit", "get", "setex"),
        )
    ],
    2: [
        Act(
            "pool",
            "A shop is healthy for a while, then silent: no error, the database is idle, the proxy logs 499s.",
            12,
            causes=("pool", "reconcile"),
        )
    ],
    3: [
        Act(
            "logs",
            "A service stops answering. Its log ends in the middle of things; the log shipper seems fine.",
            5,
            settings={"shape": "pipe"},
            causes=("loop", "worker", "shipper"),
        ),
        Act(
            "logs",
            "The same service on another host, with its log on a disk of its own: it answers, but seconds late.",
            5,
            ("--hang-after", "400ms"),
            {"shape": "disk"},
            causes=("loop", "worker", "fsync"),
        ),
        Act("logs", "Whenever someone asks for the report, everybody waits.", 4, settings={"shape": "report"}, causes=("report",)),
        Act(
            "logs",
            "A price feed stands still until somebody connects, though prices come in all the time.",
            4,
            settings={"shape": "feed"},
            ask=False,
            causes=("put",),
        ),
    ],
    4: [
        Act(
            "startup",
            "A service was started. Nothing more is known of it: no log, no port.",
            4,
            settings={"shape": "connect"},
            ask=False,
            causes=("connect",),
        ),
        Act(
            "startup",
            "The same, started by loopsnoop.",
            4,
            settings={"shape": "connect", "start": False},
            ask=False,
            causes=("connect",),
        ),
        Act(
            "startup",
            "Two services were started; neither comes up.",
            4,
            settings={"shape": "each_other"},
            ask=False,
            causes=("wait",),
        ),
    ],
    5: [
        Act(
            "locks",
            "A service that imports its modules side by side never comes up.",
            4,
            settings={"shape": "imports"},
            ask=False,
            causes=("main", "orders", "billing", "rates"),
        ),
        Act("locks", "Another one.", 4, settings={"shape": "locks"}, ask=False, causes=("stock", "prices")),
        Act(
            "reload",
            "A development server with hot reload restarts all the time, and never answers.",
            8,
            ("--quiet",),
            ask=False,
            causes=("write", "loading"),
        ),
    ],
    6: [
        Act(
            "asyncpool",
            "A shop is healthy, says its health check, and its loop has nothing to do; customers get no article any more.",
            12,
            ("--stuck-after", "3s"),
            causes=("pool",),
        )
    ],
    7: [
        Act(
            "wakeup",
            "A service that draws pictures in a thread is fast by day. By night a customer waits until the next one comes.",
            8,
            ("--stuck-after", "3s"),
            ask=False,
            causes=("deliver", "wait"),
        )
    ],
    8: [
        Act(
            "awaiting",
            "Two services, both idle, both healthy. No order is answered.",
            10,
            ("--stuck-after", "3s"),
            causes=("order", "price", "reserve"),
        )
    ],
}


def run(loopsnoop, act, running):
    shown = [str(word) for word in running.follow]
    print(f"    $ loopsnoop {' '.join((*act.options, '-d', f'{act.seconds}s', *shown))}\n", flush=True)
    command = [loopsnoop, *act.options, "-d", f"{act.seconds}s", *shown]
    snooping = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, env=running.environment or None, cwd=running.folder, start_new_session=True
    )
    try:
        time.sleep(0.7)
        running.begin()
        status = snooping.wait(act.seconds + 30)
    finally:
        with contextlib.suppress(ProcessLookupError):
            scene.os.killpg(snooping.pid, signal.SIGKILL)  # with what it started
    if status != 0:
        raise SystemExit(f"demo: loopsnoop ended with exit status {status}")


@contextlib.contextmanager
def scratch():
    """A folder that is gone afterwards."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="loopsnoop-demo."))
    folder.chmod(0o755)  # PostgreSQL runs as another user below it
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def compare(running, causes):
    print("\nThe lines that were put there on purpose; compare:")
    for name in causes:
        place = running.causes[name]
        text = pathlib.Path(place.file).read_text(encoding="utf-8").splitlines()[place.line - 1]
        print(f"    {place.file}:{place.line}: {text.split('  # <-')[0].strip()}")


def play(loopsnoop, act):
    stages = importlib.import_module(f"stages.{act.stage}")
    with scratch() as folder, stages.stage(folder, "broken", **act.settings) as running:
        print(f"\n{act.seen}", flush=True)
        run(loopsnoop, act, running)
        if act.ask:
            print(f"\n    Meanwhile: {scene.health(running.port)}")
        compare(running, act.causes)


def tour(loopsnoop):
    """Incident 1 step by step: healthy, frozen, and what loopsnoop says when it is asked during the outage."""
    (act,) = INCIDENTS[1]
    stages = importlib.import_module(f"stages.{act.stage}")
    print("\nStarting PostgreSQL, Redis and an order gateway (FastAPI on uvicorn, tests/incidents/middleware), all private to\n"
          "this demo ...", flush=True)
    with scratch() as folder, stages.stage(folder, "broken") as running:
        print(f"    the gateway is process {running.pid}, on port {running.port}")
        print("\nNobody orders yet. The health check, which uses neither database nor Redis:")
        print(f"    {scene.health(running.port)}", flush=True)
        running.begin()
        time.sleep(1)
        print("\nNow customers order, the database's disk is busy, and a report keeps Redis to itself. The same health check:")
        print(f"    {scene.health(running.port, count=30)}")
        log = (folder / "application.log").read_text()
        complaints = sum(log.count(word) for word in ("ERROR", "WARNING", "Traceback"))
        print(f"    The gateway's log holds {complaints or 'no'} errors or warnings.")
        print("\nSo what blocks it? Asked from outside, without a restart:", flush=True)
        running.begin = lambda: None  # it goes on already
        run(loopsnoop, dataclasses.replace(act, seconds=15), running)
        compare(running, act.causes)


def main():
    number, loopsnoop = sys.argv[1:]
    if number == "tour":
        tour(loopsnoop)
        return
    for act in INCIDENTS[int(number)]:
        play(loopsnoop, act)


if __name__ == "__main__":
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, lambda number, _frame: sys.exit(128 + number))
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
