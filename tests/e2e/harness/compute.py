# SPDX-License-Identifier: Apache-2.0
"""Stalls that compute or wait for the GIL, held against the truth by shares: how much of a stall went where depends on who else
has work for the CPUs."""

from . import follow, match, snoop

MS = match.MS


def run(target, folder, *arguments):
    """Follows the target through its plan: [(event, its stall)] of all events above the threshold, and the recording."""
    with target:
        target.hear("ready")
        with snoop.Snoop("-p", target.pid, *arguments, folder=folder) as snooping:
            snooping.session()
            target.go()
            target.hear("done")
            recording = snooping.stop()
        target.end()
    follow.check_nothing_lost(recording)
    threshold_ns = recording.session["threshold_ns"]
    pairs = []
    for event in target.events():
        if event["end_ns"] - event["start_ns"] >= threshold_ns + match.TOLERANCE_NS:
            stall = match.stall_of(event, recording.stalls())
            assert stall is not None, f"{match.show(event)} was not reported"
            pairs.append((event, stall))
    assert pairs, "the target did not block"
    return pairs, recording


def place(frame):
    return frame and (frame["function"], frame["file"], frame["line"])


def application_frame(stack, folder):
    """The innermost frame of the target's own code."""
    return next((frame for frame in (stack or {}).get("python", []) if (frame["file"] or "").startswith(str(folder))), None)


def share(part, whole):
    return part / whole if whole else 0.0
