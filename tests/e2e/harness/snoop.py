# SPDX-License-Identifier: Apache-2.0
"""Runs the binary and reads what it writes."""

import contextlib
import json
import os
import signal
import subprocess
import threading
import time

from . import places, schema, waiting


# Switches to loop threads that this machine's kernel did not trace, in all recordings so far; only differences say something.
hidden_switches = 0


class Recording:
    """The records of one session; `stolen_ns` is what the hypervisor took from all CPUs meanwhile, as far as that was measured."""

    def __init__(self, records, stolen_ns=0):
        self.records = records
        self.stolen_ns = stolen_ns
        global hidden_switches
        hidden_switches += sum(record.get("lost", {}).get("switch_untraced", 0) for record in records if record["type"] == "summary")

    def of(self, kind):
        return [record for record in self.records if record["type"] == kind]

    @property
    def session(self):
        return self.records[0]

    @property
    def summary(self):
        return self.records[-1]

    def stalls(self, phase="ended"):
        return [record for record in self.of("stall") if record["phase"] == phase]

    def lost(self):
        return {reason: count for reason, count in self.summary["lost"].items() if count}


def parse_line(line):
    """Strict: no doubled keys, no NaN, UTF-8."""

    def no_doubles(pairs):
        keys = [key for key, _ in pairs]
        if len(set(keys)) != len(keys):
            raise schema.Broken(f"doubled key in {line[:200]!r}")
        return dict(pairs)

    def no_constants(word):
        raise schema.Broken(f"{word} in {line[:200]!r}")

    return json.loads(line.decode("utf-8"), object_pairs_hook=no_doubles, parse_constant=no_constants)


class Snoop:
    """A running loopsnoop with its JSON on stdout. Use as a context; `stop()` gives the recording."""

    def __init__(self, *arguments, folder, user=None, wrapper=(), json_option=("--json", "-"), environment=None, cwd=None):
        """`environment` and `cwd` are those of a command that it starts, too."""
        self.command = [str(word) for word in (*wrapper, places.LOOPSNOOP, *json_option, *arguments)]
        self.folder = folder
        self.user = user
        self.environment = environment
        self.cwd = cwd
        self.records = []
        self.arrivals_ns = []
        self.broken = None
        self.ended = False
        self._news = threading.Condition()

    def __enter__(self):
        assert places.LOOPSNOOP.exists(), f"{places.LOOPSNOOP} is not built"
        self.errors_path = self.folder / "loopsnoop.stderr"
        self._errors = open(self.errors_path, "wb")
        self.started_ns = time.monotonic_ns()
        self._stolen_ns = waiting.stolen_ns()
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            user=self.user,
            env=self.environment,
            cwd=self.cwd,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __exit__(self, *_about):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join()
        self.process.stdout.close()
        self._errors.close()

    def _read(self):
        try:
            for line in self.process.stdout:
                record = parse_line(line)
                with self._news:
                    self.records.append(record)
                    self.arrivals_ns.append(time.monotonic_ns())
                    self._news.notify_all()
        except (ValueError, AssertionError) as error:
            self.broken = error
        finally:
            with self._news:
                self.ended = True
                self._news.notify_all()

    def delay_ns(self):
        """How long its threads have been kept from running: on a busy machine that is no fault of its own."""
        pid = self.process.pid
        return waiting.delay_ns(pid, *os.listdir(f"/proc/{pid}/task")) - self._stolen_ns

    def text(self):
        """What it showed people."""
        return self.errors_path.read_text(errors="replace")

    def wait_for(self, wanted, what, patience=waiting.PATIENCE_S):
        """The first record that `wanted` is true of."""

        def found():
            return next((record for record in self.records if wanted(record)), None)

        with self._news:
            self._news.wait_for(lambda: found() is not None or self.ended, patience)
            record = found()
        assert record is not None, f"no {what} among {len(self.records)} records; {self.broken or ''}\n{self.text()[-3000:]}"
        return record

    def arrival_ns(self, record):
        """When a record was read, on CLOCK_MONOTONIC."""
        return self.arrivals_ns[next(index for index, each in enumerate(self.records) if each is record)]

    def session(self):
        """Waits until everything is attached: from then on nothing is missed."""
        return self.wait_for(lambda record: record["type"] == "session", "session")

    def ongoing(self, patience=waiting.PATIENCE_S):
        return self.wait_for(lambda record: record["type"] == "stall" and record["phase"] == "ongoing", "ongoing stall", patience)

    def interrupt(self, number=signal.SIGINT):
        os.kill(self.process.pid, number)

    def kill_all(self):
        """It and all that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def finish(self, status=0):
        """Waits for its end; the recording, held to the schema. `status` None: any, that of a command that it started, say."""
        try:
            self.process.wait(waiting.PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise waiting.TooLate(f"loopsnoop does not end\n{self.text()[-3000:]}") from None
        if status is None:
            self.kill_all()  # a command that hangs holds stdout open
        self._reader.join()
        if self.broken:
            raise self.broken
        assert status in (None, self.process.returncode), f"exit status {self.process.returncode}\n{self.text()[-3000:]}"
        schema.judge(self.records)
        return Recording(self.records, waiting.stolen_ns() - self._stolen_ns)

    def stop(self, number=signal.SIGINT, status=0):
        self.interrupt(number)
        return self.finish(status)


def run_plain(*arguments, user=None, **more):
    """A run that ends by itself: the CompletedProcess, with text."""
    command = [str(word) for word in (places.LOOPSNOOP, *arguments)]
    if user is not None:
        command = ["runuser", "-u", user, "--", *command]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=waiting.PATIENCE_S, **more)


def read_recording(path):
    with open(path, "rb") as lines:
        records = [parse_line(line) for line in lines]
    schema.judge(records)
    return Recording(records)
