# SPDX-License-Identifier: Apache-2.0
import importlib
import select
import sys
import time

from truth import place_of
from wait import Wait

SLEEPS = ("clock_nanosleep", "select", "pselect6")


class Sleeping(Wait):
    cause = "sleep"
    syscalls = SLEEPS

    def resource(self):
        return {"kind": "timer", "requested_ns": self.ms * 1000000}


class TimeSleep(Sleeping):
    def block(self):
        time.sleep(self.seconds)  # <- blocks


class SelectOnNothing(Sleeping):
    def block(self):
        select.select([], [], [], self.seconds)  # <- blocks


class ImportThatSleeps(Sleeping):
    """The culprit is the module's own top level, the importing function stands behind it."""

    def set_up(self):
        sys.path.insert(0, self.world.scratch)
        with open(self.world.path("sleepy_module.py"), "w", encoding="ascii") as module:
            module.write("import time\nimport sleepy_plan\n\ntime.sleep(sleepy_plan.seconds)\n")
        with open(self.world.path("sleepy_plan.py"), "w", encoding="ascii") as module:
            module.write("seconds = 0\n")
        importlib.invalidate_caches()

    def prepare(self):
        import sleepy_plan

        sleepy_plan.seconds = self.seconds
        sys.modules.pop("sleepy_module", None)

    def block(self):
        import sleepy_module  # <- blocks

        self.module = sleepy_module

    def place(self):
        return {
            "function": "<module>",
            "file": self.world.path("sleepy_module.py"),
            "line": 4,
            "caller": place_of(ImportThatSleeps.block),
        }


WAITS = {"time_sleep": TimeSleep, "select_on_nothing": SelectOnNothing, "import_that_sleeps": ImportThatSleeps}
