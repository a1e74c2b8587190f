# SPDX-License-Identifier: Apache-2.0
"""The base of every way to block."""

from truth import place_of

LINGER_S = 1  # threads that wake others stay for a while, as those of a pool do: afterwards they have no name to be read


class Wait:
    """One way to block. `block` carries the mark on the line that blocks; it is the culprit that loopsnoop is to name.

    cause: as in the contract, several separated by '|'. syscalls: those it may sleep in. pieces: 1 for one long sleep,
    0 for many whose number is not known. through: library functions that stand between the culprit and the system call.
    """

    cause = "other"
    syscalls = ()
    pieces = 1
    through = ()

    def __init__(self, world):
        self.world = world
        self.ms = 0

    @property
    def seconds(self):
        return self.ms / 1000

    def set_up(self):
        """Once, before the test begins."""

    def prepare(self):
        """Before each event, in the same callback."""

    def block(self):
        raise NotImplementedError

    def resource(self):
        """What is known of the resource: the fields that the test compares."""
        return None

    def place(self):
        return place_of(type(self).block)

    def more(self):
        """Further fields of the truth."""
        return {}

    def clean_up(self):
        """After each event."""
